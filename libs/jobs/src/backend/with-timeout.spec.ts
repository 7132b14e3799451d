import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { succeedsWithin } from './with-timeout.js';

describe('succeedsWithin', () => {
  const never = new Promise(() => undefined);

  it('is true for what was done, false for what failed or takes longer', async () => {
    expect(await succeedsWithin(10_000, Promise.resolve(0))).toBe(true);
    expect(await succeedsWithin(10_000, Promise.reject(new Error('no')))).toBe(false);
    expect(await succeedsWithin(1, never)).toBe(false);
  });

  it('counts an answer that came while this process was busy', async () => {
    const answered = new Int32Array(new SharedArrayBuffer(4));
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      parentPort.postMessage('up');
      parentPort.once('message', () => {
        parentPort.postMessage('answer');
        Atomics.store(workerData, 0, 1);
        Atomics.notify(workerData, 0);
        parentPort.close();
      });`;
    const worker = new Worker(script, { eval: true, workerData: answered });
    const exited = once(worker, 'exit');
    await once(worker, 'message');
    // After this come the timers, and then what was received.
    await setImmediate();
    const inTime = succeedsWithin(1, once(worker, 'message'));
    worker.postMessage('question');
    Atomics.wait(answered, 0, 0);
    for (const until = performance.now() + 5; performance.now() < until;);
    expect(await inTime).toBe(true);
    await exited;
  });
});
