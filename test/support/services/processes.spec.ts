import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { killIfThere, processesShowing } from './processes.mjs';

describe('processesShowing', () => {
  it('finds a process by its arguments until it is gone', async () => {
    const mark = randomUUID();
    const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1_000)', mark]);
    await once(child.stdout, 'data');
    expect(processesShowing(mark)).toEqual([child.pid]);
    const exited = once(child, 'exit');
    killIfThere(child.pid!);
    await exited;
    expect(processesShowing(mark)).toEqual([]);
    killIfThere(child.pid!);
  });
});
