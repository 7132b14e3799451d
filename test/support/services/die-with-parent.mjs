import { spawn } from 'node:child_process';

const SCRIPT = `
read -r _
if [ -n "$3" ]; then
  kill -s "$3" -- "$1" 2>/dev/null
  looks=0
  while [ $looks -lt 100 ] && kill -s 0 -- "$1" 2>/dev/null; do sleep 0.1; looks=$((looks + 1)); done
fi
kill -s KILL -- "$1" 2>/dev/null
[ -z "$2" ] || rm -rf -- "$2"
`;

/**
 * Kills a process (or its whole group) and removes its directory when this process is gone, even after SIGKILL.
 * The guard is a shell that reads from a pipe of ours: the pipe closes when we die, whatever we died of. It runs in a
 * session of its own, so that Ctrl-C in the terminal does not reach it.
 * @param {{ pid: number, group?: boolean, directory?: string, notice?: 'QUIT' | 'TERM' | '' }} victim `notice`: a
 * signal that makes it end its children and then itself; SIGKILL follows when it has not after 10 s
 * @returns {() => void} lets the victim go; call it once the victim has ended
 */
export function dieWithParent({ pid, group = false, directory = '', notice = '' }) {
  const guard = spawn('sh', ['-c', SCRIPT, 'die-with-parent', group ? `-${pid}` : `${pid}`, directory, notice], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', (error) => process.emitWarning(`process ${pid} is not guarded: ${error.message}`));
  guard.unref();
  const release = () => {
    guard.kill('SIGKILL');
    guard.stdin.destroy();
  };
  guard.stdin.on('error', () => {});
  // A pipe is a socket to Node and keeps the event loop alive unless it is told not to.
  /** @type {import('node:net').Socket} */ (/** @type {unknown} */ (guard.stdin)).unref();
  return release;
}
