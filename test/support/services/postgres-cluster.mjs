import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dieWithParent } from './die-with-parent.mjs';

// All messages in English, and the same order of texts on every machine.
const INITDB_OPTIONS = ['-A', 'trust', '-U', 'jobs', '--no-sync', '-E', 'UTF8', '--locale', 'C'];

/**
 * Runs initdb unless the directory has a cluster already.
 * @param {object} place
 * @param {string} place.initdb
 * @param {string} place.directory is handed to the account
 * @param {boolean} place.temporary remove the directory when this process dies
 * @param {import('./server-account.mjs').Account} place.account
 * @returns {Promise<string>} the folder with the data
 */
export async function prepareCluster({ initdb, directory, temporary, account }) {
  const data = join(directory, 'data');
  if (existsSync(join(data, 'PG_VERSION'))) return data;
  mkdirSync(directory, { recursive: true });
  if (account.uid !== undefined && account.gid !== undefined) chownSync(directory, account.uid, account.gid);

  const child = spawn(initdb, ['-D', data, ...INITDB_OPTIONS], {
    ...account,
    cwd: directory,
    env: { ...process.env, LC_ALL: 'C' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // SIGTERM: initdb then removes what it has made, and its own Postgres frees its shared memory.
  const left = temporary ? directory : undefined;
  const release =
    child.pid === undefined ? () => {} : dieWithParent({ pid: child.pid, directory: left, notice: 'TERM' });
  /** @type {string[]} */
  const output = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => output.push(text));
  }
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`initdb ended with exit code ${code}:\n${output.join('')}`);
  } finally {
    release();
  }
  return data;
}

/** Frees the System V segment that a killed Postgres leaves for its successor. The machine has few of them.
 * @param {string} data */
export function releaseSharedMemory(data) {
  const lockFile = join(data, 'postmaster.pid');
  if (!existsSync(lockFile)) return;
  const [, , , , , , keyAndId = ''] = readFileSync(lockFile, 'utf8').split('\n');
  const id = keyAndId.trim().split(/\s+/)[1];
  if (id === undefined) return;
  try {
    execFileSync('ipcrm', ['-m', id], { stdio: 'ignore' });
  } catch {
    // It is gone already, or there is no ipcrm: a few bytes stay until the machine restarts.
  }
}
