import type { JobsOptions } from 'bullmq';
import { newJobId } from '../../libs/jobs/src/client/job-id.js';
import { JobsService } from '../../libs/jobs/src/index.js';
import { failsAlways, failsOnce, RETRY_DELAY, startFailingApp, WARM_UP_QUEUE } from './failing-jobs.js';
import { mail } from './mail-jobs.js';
import { QUEUE } from './noop-jobs.js';
import { openRawEngine, type RawEngine, type RawJob } from './raw-engine.js';
import { asRedriven, type RedrivenMail } from './redriven-mail.js';
import type { StoreAddress } from './stores.js';

/** Jobs that are enqueued together. */
const BATCH = 500;
const CONCURRENCY = 32;
/** Of 0 to 9: above the default. */
const URGENT = 9;

interface JobCounts {
  /** Jobs that come before the timed ones. */
  readonly warmUp: number;
  readonly jobs: number;
}

/**
 * Enqueues jobs that no worker takes yet, as this library stores them, but for BullMQ alone with a backoff of its own. A
 * retry waits behind the jobs of its priority: that of the warm-up is higher, or all second runs would come last.
 */
export async function fillWithRetries(
  store: StoreAddress,
  worker: 'raw' | 'ours',
  { warmUp, jobs }: JobCounts,
): Promise<void> {
  const backoff: JobsOptions = worker === 'raw' ? { backoff: { type: 'fixed', delay: RETRY_DELAY } } : {};
  const app = await startFailingApp(store);
  const service = app.get(JobsService);
  const urgent = await service.enqueue(failsOnce, mail(0), { priority: URGENT });
  const usual = await service.enqueue(failsOnce, mail(0));
  // The directory of an embedded store is open in one place at a time.
  await app.close();
  const engine = await openRawEngine(store);
  for (const [id, first, end] of [
    [urgent.id, 0, warmUp],
    [usual.id, warmUp, warmUp + jobs],
  ] as const) {
    await multiply(engine, id, { first, end, opts: backoff });
  }
  await engine.disconnect();
}

interface Copies {
  readonly first: number;
  readonly end: number;
  /** What is not as in the original. */
  readonly opts: JobsOptions;
}

/** Puts many in the place of one. */
async function multiply(engine: RawEngine, id: string, { first, end, opts }: Copies): Promise<void> {
  const queue = engine.queue(QUEUE);
  const like = (await queue.getJob(id)) as RawJob;
  await queue.remove(id);
  for (let from = first; from < end; from += BATCH) {
    const length = Math.min(BATCH, end - from);
    await queue.addBulk(
      Array.from({ length }, (_, n) => ({
        name: like.name,
        data: { p: mail(from + n) },
        opts: { ...like.opts, ...opts, jobId: newJobId(QUEUE) },
      })),
    );
  }
  await queue.close();
}

/**
 * Enqueues jobs of which each fails for good, and works them. The warm-up is in {@link WARM_UP_QUEUE}, and one of its
 * dead letters has been redriven: returns the job that does it again.
 */
export async function fillWithDeadLetters(store: StoreAddress, { warmUp, jobs }: JobCounts): Promise<RedrivenMail> {
  let left = warmUp + jobs;
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const attempt = (n: number): void => {
    if (--left === 0) finish();
    throw new Error(`The mail server does not take mail ${n}.`);
  };
  const app = await startFailingApp(store, { concurrency: CONCURRENCY, delivery: { attempt } });
  const service = app.get(JobsService);
  for (const [queue, count] of [
    [WARM_UP_QUEUE, warmUp],
    [QUEUE, jobs],
  ] as const) {
    for (let first = 0; first < count; first += BATCH) {
      const length = Math.min(BATCH, count - first);
      await service.enqueueMany(
        Array.from({ length }, (_, n) => ({ task: failsAlways, payload: mail(first + n), options: { queue } })),
      );
    }
  }
  await finished;
  // Waits until the last ones are stored as failed.
  await app.close();
  return redriveOne(store);
}

async function redriveOne(store: StoreAddress): Promise<RedrivenMail> {
  const app = await startFailingApp(store);
  const { deadLetters } = app.get(JobsService);
  const { letters } = await deadLetters.list({ queue: WARM_UP_QUEUE, limit: 1 });
  const { id } = await deadLetters.redrive(letters[0]!.id);
  await app.close();
  const engine = await openRawEngine(store);
  const queue = engine.queue(WARM_UP_QUEUE);
  const job = (await queue.getJob(id)) as RawJob;
  await queue.close();
  await engine.disconnect();
  return asRedriven(job);
}
