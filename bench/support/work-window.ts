// One of several processes that work the same queue, and says how much it did in a stretch of time that all have in common.
import { setTimeout as sleep } from 'node:timers/promises';
import { serveParent } from './alone.js';
import { cpuSince, machineTime } from './clock.js';
import { startMailWorkers } from './mail-jobs.js';
import { QUEUE } from './noop-jobs.js';
import type { StoreAddress } from './stores.js';

export type WindowRequest =
  | {
      readonly step: 'begin';
      readonly worker: 'raw' | 'ours';
      readonly store: StoreAddress;
      readonly concurrency: number;
      /** Milliseconds that a task sleeps; 0: it does nothing. */
      readonly sleep: number;
    }
  /** As {@link machineTime} has them. */
  | { readonly step: 'count'; readonly from: number; readonly to: number };

export interface WindowReport {
  /** Jobs per second. */
  readonly rate: number;
  /** Microseconds in a second. */
  readonly cpu: number;
}

let done = 0;
let stop: () => Promise<void>;

serveParent(async (request: WindowRequest): Promise<WindowReport | undefined> => {
  if (request.step === 'begin') {
    const { worker, store, concurrency, sleep: pause } = request;
    const postbox = pause > 0 ? { put: () => sleep(pause).then(count) } : { put: count };
    stop = await startMailWorkers(worker, store, { queues: [QUEUE], concurrency }, postbox);
    return undefined;
  }
  await sleep(request.from - machineTime());
  const [countedBefore, startedAt, cpuAtStart] = [done, machineTime(), process.cpuUsage()];
  await sleep(request.to - machineTime());
  const seconds = (machineTime() - startedAt) / 1_000;
  const report = { rate: (done - countedBefore) / seconds, cpu: cpuSince(cpuAtStart) / seconds };
  await stop();
  return report;
});

function count(): void {
  done++;
}
