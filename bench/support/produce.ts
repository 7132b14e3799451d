// Enqueues in a process of its own, with no worker there, and says how fast that went.
import { serveParent } from './alone.js';
import { readMail, type MailJob } from './mail-jobs.js';
import { Meter, type Measurement } from './meter.js';
import { QUEUE } from './noop-jobs.js';
import { openProducer, type Producer, type ProducerSettings } from './producer.js';
import { openRawEngine } from './raw-engine.js';

const LANES = 100;
const BULK = 1_000;

export type ProductionMode = 'sequential' | 'inflight100' | 'bulk1000';

export interface Production extends ProducerSettings {
  readonly mode: ProductionMode;
  /** Jobs that come before the timed ones. */
  readonly warmUp: number;
}

export interface ProductionReport {
  readonly measurement: Measurement;
  /** One of the jobs. */
  readonly stored: MailJob;
}

const RUN: Record<ProductionMode, (producer: Producer, jobs: number, meter: Meter) => Promise<unknown>> = {
  sequential: (producer, jobs, meter) => runLanes(1, producer, jobs, meter),
  inflight100: (producer, jobs, meter) => runLanes(LANES, producer, jobs, meter),
  bulk1000: async (producer, jobs, meter) => {
    for (let first = 0; first < jobs; first += BULK) {
      await producer.many(first, BULK);
      meter.count(BULK);
    }
  },
};

serveParent(async (production: Production): Promise<ProductionReport> => {
  const { warmUp, jobs, mode, store } = production;
  const all = warmUp + jobs;
  const producer = await openProducer({ ...production, jobs: all + 1 });
  // Alone, because hundreds that wait for BullMQ's first connection make it warn of a leak.
  const one = await producer.one(all);
  const meter = new Meter(warmUp, jobs);
  await RUN[mode](producer, all, meter);
  const measurement = await meter.measured;
  await producer.close();
  const engine = await openRawEngine(store);
  const queue = engine.queue(QUEUE);
  const stored = await readMail(queue, one);
  await queue.close();
  await engine.disconnect();
  return { measurement, stored };
});

async function runLanes(lanes: number, producer: Producer, jobs: number, meter: Meter): Promise<void> {
  let next = 0;
  const produce = async (): Promise<void> => {
    while (next < jobs) {
      await producer.one(next++);
      meter.count();
    }
  };
  await Promise.all(Array.from({ length: lanes }, produce));
}
