// Consumes what was enqueued before, in a process of its own, and says how fast that went.
import { serveParent } from './alone.js';
import { Meter, type Measurement } from './meter.js';
import { startNoopApp } from './noop-jobs.js';
import { startRawWorker } from './raw-worker.js';
import type { StoreAddress } from './stores.js';

export interface Consumption {
  readonly worker: 'raw' | 'ours';
  readonly store: StoreAddress;
  readonly concurrency: number;
  /** Jobs that come before the timed ones. */
  readonly warmUp: number;
  readonly jobs: number;
}

serveParent(async ({ worker, store, concurrency, warmUp, jobs }: Consumption): Promise<Measurement> => {
  const meter = new Meter(warmUp, jobs);
  const stop = await (worker === 'raw' ? startRawWorker(store, { meter, concurrency }) : startOurs());
  const measurement = await meter.measured;
  await stop();
  return measurement;

  async function startOurs(): Promise<() => Promise<void>> {
    const app = await startNoopApp(store, { meter, concurrency, workers: true });
    return () => app.close();
  }
});
