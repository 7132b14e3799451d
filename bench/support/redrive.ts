// Redrives dead letters, or adds as many jobs with BullMQ alone, in a process of its own, and says how fast that went.
import { randomUUID } from 'node:crypto';
import { callersJobId, newJobId } from '../../libs/jobs/src/client/job-id.js';
import { JobsService } from '../../libs/jobs/src/index.js';
import { serveParent } from './alone.js';
import { startFailingApp, WARM_UP_QUEUE } from './failing-jobs.js';
import { mail } from './mail-jobs.js';
import { Meter, type Measurement } from './meter.js';
import { QUEUE } from './noop-jobs.js';
import { openRawEngine } from './raw-engine.js';
import { asRedriven, type RedrivenMail } from './redriven-mail.js';
import type { StoreAddress } from './stores.js';

/** Jobs that BullMQ alone adds in one call. */
const BULK = 1_000;

export interface RedriveRequest {
  readonly by: 'raw' | 'ours';
  /** With the dead letters in it. */
  readonly store: StoreAddress;
  /** Dead letters in the queue of the warm-up. */
  readonly warmUp: number;
  readonly jobs: number;
  /** What `raw` adds. */
  readonly like: RedrivenMail;
}

export interface RedriveReport {
  readonly measurement: Measurement;
  /** One of the new jobs. */
  readonly stored: RedrivenMail;
}

interface Redriving {
  /** Makes so many new jobs in this queue. */
  fill(queue: string, count: number): Promise<void>;
  close(): Promise<unknown>;
}

serveParent(async (request: RedriveRequest): Promise<RedriveReport> => {
  const { warmUp, jobs, store } = request;
  const redriving = await (request.by === 'ours' ? openOurs(request) : openRaw(request));
  const meter = new Meter(warmUp, jobs);
  for (const [queue, count] of [
    [WARM_UP_QUEUE, warmUp],
    [QUEUE, jobs],
  ] as const) {
    await redriving.fill(queue, count);
    meter.count(count);
  }
  const measurement = await meter.measured;
  await redriving.close();
  return { measurement, stored: await firstOfQueue(store) };
});

async function openOurs({ store }: RedriveRequest): Promise<Redriving> {
  const app = await startFailingApp(store);
  const { deadLetters } = app.get(JobsService);
  return {
    async fill(queue, count) {
      const { matched, refused } = await deadLetters.redriveAll({ queue });
      if (matched !== count || refused > 0) {
        throw new Error(`of ${count} dead letters, ${matched} were found and ${refused} refused`);
      }
    },
    close: () => app.close(),
  };
}

async function openRaw({ store, like }: RedriveRequest): Promise<Redriving> {
  const engine = await openRawEngine(store);
  const queues = new Map([WARM_UP_QUEUE, QUEUE].map((name) => [name, engine.queue(name)]));
  const { name, opts } = like;
  return {
    async fill(queueName, count) {
      for (let first = 0; first < count; first += BULK) {
        const length = Math.min(BULK, count - first);
        const jobOf = (n: number) => ({
          name,
          data: { p: mail(first + n), o: newJobId(queueName) },
          // As long as those of redriven jobs.
          opts: { ...opts, jobId: callersJobId(queueName, `redrive-${randomUUID().replaceAll('-', '')}`) },
        });
        await queues.get(queueName)!.addBulk(Array.from({ length }, (_, n) => jobOf(n)));
      }
    },
    async close() {
      for (const queue of queues.values()) await queue.close();
      await engine.disconnect();
    },
  };
}

async function firstOfQueue(store: StoreAddress): Promise<RedrivenMail> {
  const engine = await openRawEngine(store);
  const queue = engine.queue(QUEUE);
  const [first] = await queue.getPrioritized(0, 0);
  await queue.close();
  await engine.disconnect();
  return asRedriven(first!);
}
