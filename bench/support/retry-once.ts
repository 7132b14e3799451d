// Works jobs that fail once and then succeed, in a process of its own, and says how fast that went.
import { openSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import { serveParent } from './alone.js';
import { RUNS, startFailingWorkers } from './failing-jobs.js';
import { Meter, type Measurement } from './meter.js';
import type { StoreAddress } from './stores.js';

export interface RetryRequest {
  /** `logged` is `ours` with Nest's log. */
  readonly worker: 'raw' | 'ours' | 'logged';
  readonly store: StoreAddress;
  readonly concurrency: number;
  /** Jobs that come before the timed ones. */
  readonly warmUp: number;
  readonly jobs: number;
}

serveParent(async ({ worker, store, concurrency, warmUp, jobs }: RetryRequest): Promise<Measurement> => {
  // All runs count, because those of different jobs are mixed.
  const meter = new Meter(warmUp * RUNS, jobs * RUNS);
  const runs = new Uint8Array(warmUp + jobs);
  const attempt = (n: number): void => {
    meter.count();
    const run = ++runs[n]!;
    if (run < RUNS) throw new Error(`The mail server did not take mail ${n}.`);
    if (run > RUNS) throw new Error(`Mail ${n} was sent already.`);
  };
  const isLogging = worker === 'logged';
  if (isLogging) discardLog();
  const workers = { concurrency, delivery: { attempt }, isLogging };
  const stop = await startFailingWorkers(worker === 'raw' ? 'raw' : 'ours', store, workers);
  const { rate, cpu } = await meter.measured;
  await stop();
  return { rate: rate / RUNS, cpu: cpu * RUNS };
});

/** What is logged is written, but to where it bothers nobody. */
function discardLog(): void {
  const nowhere = openSync(devNull, 'w');
  process.stderr.write = (text: string | Uint8Array) => {
    writeSync(nowhere, text as string);
    return true;
  };
}
