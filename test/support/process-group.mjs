import { spawn } from 'node:child_process';
import { dieWithParent } from './services/die-with-parent.mjs';

/**
 * Runs Node in a process group of its own, so that it can be ended together with everything that it started.
 * Nothing of the group is left when `exited` resolves.
 * @param {string[]} parameters
 * @param {{ env?: NodeJS.ProcessEnv, directory?: string, keepTerminal?: boolean, node?: string }} [options] `directory`:
 * removed if we are killed; `keepTerminal`: stay in our group, because only that may read the keyboard; `node`: another
 * Node than ours
 */
export function runNode(
  parameters,
  { env = process.env, directory, keepTerminal = false, node = process.execPath } = {},
) {
  const child = spawn(node, parameters, { env, stdio: 'inherit', detached: !keepTerminal });
  const { pid } = child;
  const release = pid === undefined ? () => {} : dieWithParent({ pid, group: !keepTerminal, directory });

  /** @param {NodeJS.Signals} signal */
  const kill = (signal) => {
    if (pid === undefined) return;
    try {
      process.kill(keepTerminal ? pid : -pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  };

  /** @type {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} */
  const exited = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      release();
      if (!keepTerminal) kill('SIGKILL');
      resolve({ code, signal });
    });
  });
  return { kill, exited };
}
