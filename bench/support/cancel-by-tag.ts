// Cancels jobs by their tag, or adds as many with BullMQ alone, in a process of its own, and says how fast that went.
import { newJobId } from '../../libs/jobs/src/client/job-id.js';
import { JobsService } from '../../libs/jobs/src/index.js';
import { serveParent } from './alone.js';
import { cpuSince, machineTime } from './clock.js';
import { mail, startMailApp } from './mail-jobs.js';
import type { Measurement } from './meter.js';
import { QUEUE } from './noop-jobs.js';
import { openRawEngine } from './raw-engine.js';
import type { StoreAddress } from './stores.js';
import { TIMED_TAG, WARM_UP_TAG, type TaggedCounts, type TaggedMail } from './tagged-mails.js';

/** Jobs that BullMQ alone adds in one call. */
const BULK = 1_000;

export type CancelByTagRequest =
  | {
      /** Starts and warms up. */
      readonly step: 'begin';
      readonly by: 'raw' | 'ours';
      /** With the tagged jobs in it. */
      readonly store: StoreAddress;
      readonly counts: TaggedCounts;
      /** What `raw` adds. */
      readonly like: TaggedMail;
    }
  | { readonly step: 'measure' };

type Beginning = Extract<CancelByTagRequest, { step: 'begin' }>;

interface Cancelling {
  warmUp(): Promise<void>;
  timed(): Promise<void>;
  close(): Promise<void>;
}

let jobs: number;
let cancelling: Cancelling;

serveParent(async (request: CancelByTagRequest): Promise<Measurement | undefined> => {
  if (request.step === 'begin') {
    jobs = request.counts.jobs;
    cancelling = await (request.by === 'ours' ? openOurs(request) : openRaw(request));
    await cancelling.warmUp();
    return undefined;
  }
  const [from, cpuAtStart] = [machineTime(), process.cpuUsage()];
  await cancelling.timed();
  const seconds = (machineTime() - from) / 1_000;
  const cpu = cpuSince(cpuAtStart) / jobs;
  await cancelling.close();
  return { rate: jobs / seconds, cpu };
});

async function openOurs({ store, counts }: Beginning): Promise<Cancelling> {
  const app = await startMailApp(store);
  const service = app.get(JobsService);
  const cancel = async (tag: string, count: number): Promise<void> => {
    const { cancelled, asked } = await service.cancelByTag(tag, { reason: 'the batch was withdrawn' });
    if (cancelled === count && asked === 0) return;
    throw new Error(`of ${count} jobs that wait, ${cancelled} were cancelled and ${asked} asked to stop`);
  };
  return {
    warmUp: () => cancel(WARM_UP_TAG, counts.warmUp),
    timed: () => cancel(TIMED_TAG, counts.jobs),
    close: () => app.close(),
  };
}

async function openRaw({ store, counts, like }: Beginning): Promise<Cancelling> {
  const engine = await openRawEngine(store);
  const queue = engine.queue(QUEUE);
  const { name, data, opts } = like;
  // Made before any clock runs: BullMQ is given its ids.
  const ids = Array.from({ length: counts.warmUp + counts.jobs }, () => newJobId(QUEUE));
  const add = async (from: number, count: number): Promise<void> => {
    for (let first = from; first < from + count; first += BULK) {
      const length = Math.min(BULK, from + count - first);
      const jobOf = (n: number) => ({ name, data: { ...data, p: mail(n) }, opts: { ...opts, jobId: ids[n]! } });
      await queue.addBulk(Array.from({ length }, (_, n) => jobOf(first + n)));
    }
  };
  return {
    warmUp: () => add(0, counts.warmUp),
    timed: () => add(counts.warmUp, counts.jobs),
    async close() {
      await queue.close();
      await engine.disconnect();
    },
  };
}
