// Consumes what was enqueued before, in a process of its own, and says how fast that went.
import { serveParent } from './alone.js';
import { Meter, type Measurement } from './meter.js';
import { startNestjsBullmqApp } from './nestjs-bullmq.js';
import { QUEUE, startNoopApp, type NoopHost } from './noop-jobs.js';
import { startRawWorkers } from './raw-engine.js';
import type { StoreAddress } from './stores.js';

export interface Consumption {
  readonly worker: 'raw' | 'nestjs-bullmq' | NoopHost;
  readonly store: StoreAddress;
  readonly concurrency: number;
  /** Jobs that come before the timed ones. */
  readonly warmUp: number;
  readonly jobs: number;
  /** Of this library's. */
  readonly metrics?: boolean;
}

serveParent(async (consumption: Consumption): Promise<Measurement> => {
  const meter = new Meter(consumption.warmUp, consumption.jobs);
  const stop = await start(consumption, meter);
  const measurement = await meter.measured;
  await stop();
  return measurement;
});

async function start(
  { worker, store, concurrency, metrics = false }: Consumption,
  meter: Meter,
): Promise<() => Promise<void>> {
  if (worker === 'raw') {
    return startRawWorkers(store, { queues: [QUEUE], concurrency }, async (_job, _token) => meter.count());
  }
  if (worker === 'nestjs-bullmq') return startNestjsBullmqApp(store.location, { meter, concurrency });
  const app = await startNoopApp(store, { host: worker, meter, concurrency, workers: true, metrics });
  return () => app.close();
}
