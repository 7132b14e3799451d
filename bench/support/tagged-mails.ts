import type { JobsOptions } from 'bullmq';
import { JobsService } from '../../libs/jobs/src/index.js';
import { mail, sendMail, startMailApp, type Mail } from './mail-jobs.js';
import { QUEUE } from './noop-jobs.js';
import { openRawEngine } from './raw-engine.js';
import type { StoreAddress } from './stores.js';

/** Jobs that are enqueued together. */
const BATCH = 500;

/** What the jobs are tagged with that are cancelled before any clock runs, and while it does: as long as each other. */
export const WARM_UP_TAG = 'batch:warm-up';
export const TIMED_TAG = 'batch:2187-11';

export interface TaggedCounts {
  /** Jobs with {@link WARM_UP_TAG}. */
  readonly warmUp: number;
  /** Jobs with {@link TIMED_TAG}. */
  readonly jobs: number;
}

/** A tagged job as it is stored, but for what differs between any two. */
export interface TaggedMail {
  readonly name: string;
  readonly data: { readonly p: Mail };
  /** Without the id. */
  readonly opts: JobsOptions;
}

/** Enqueues jobs with a tag that no worker takes. Returns how they are stored. */
export async function fillWithTagged(store: StoreAddress, { warmUp, jobs }: TaggedCounts): Promise<TaggedMail> {
  const app = await startMailApp(store);
  const service = app.get(JobsService);
  let last = '';
  for (const [tag, count] of [
    [WARM_UP_TAG, warmUp],
    [TIMED_TAG, jobs],
  ] as const) {
    for (let first = 0; first < count; first += BATCH) {
      const length = Math.min(BATCH, count - first);
      const handles = await service.enqueueMany(
        Array.from({ length }, (_, n) => ({ task: sendMail, payload: mail(first + n), options: { tags: [tag] } })),
      );
      last = handles.at(-1)!.id;
    }
  }
  // The directory of an embedded store is open in one place at a time.
  await app.close();
  const engine = await openRawEngine(store);
  const queue = engine.queue(QUEUE);
  const { name, data, opts } = (await queue.getJob(last))!;
  await queue.close();
  await engine.disconnect();
  const { jobId: _id, ...others } = opts;
  return { name, data: data as TaggedMail['data'], opts: others };
}
