import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The processes of this machine that carry a text in what `ps` shows of them, ourselves left out.
 * @param {string} text
 * @returns {number[]} process ids */
export function processesShowing(text) {
  const all = process.platform === 'linux' ? fromProc() : fromPs();
  return all.filter(({ pid, shown }) => pid !== process.pid && shown.includes(text)).map(({ pid }) => pid);
}

/** @param {number} pid */
export function killIfThere(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // No `instanceof Error`: in Jest, the errors of Node are of another realm.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/** A small Debian image has no `ps`. */
function fromProc() {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      return [{ pid: Number(pid), shown: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
    } catch {
      return []; // It has just ended.
    }
  });
}

function fromPs() {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  return lines.map((line) => {
    const [pid = ''] = line.trimStart().split(' ', 1);
    return { pid: Number(pid), shown: line };
  });
}
