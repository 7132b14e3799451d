// Works mails in a process of its own and says when each was begun.
import { serveParent } from './alone.js';
import { cpuSince, machineTime } from './clock.js';
import { startMailWorkers } from './mail-jobs.js';
import { QUEUE } from './noop-jobs.js';
import type { StoreAddress } from './stores.js';

export type SendingRequest =
  | {
      readonly step: 'begin';
      readonly worker: 'raw' | 'ours';
      readonly store: StoreAddress;
      readonly concurrency: number;
    }
  | { readonly step: 'finish' };

export interface SendingReport {
  /** By `n`, as {@link machineTime} has it. */
  readonly started: readonly number[];
  /** Microseconds for each job. */
  readonly cpu: number;
}

const started: number[] = [];
let cpuAtStart: NodeJS.CpuUsage;
let stop: () => Promise<void>;

serveParent(async (request: SendingRequest): Promise<SendingReport | undefined> => {
  if (request.step === 'finish') {
    const cpu = cpuSince(cpuAtStart) / started.length;
    await stop();
    return { started, cpu };
  }
  const { worker, store, concurrency } = request;
  const postbox = { put: (n: number): void => void (started[n] = machineTime()) };
  stop = await startMailWorkers(worker, store, { queues: [QUEUE], concurrency }, postbox);
  cpuAtStart = process.cpuUsage();
  return undefined;
});
