import type { JobPage, JobPlace, PlacedJob } from '../backend/job-sets.js';

/** @internal */
export type ReadPage = (queue: string, after: JobPlace | undefined) => Promise<JobPage>;

/** One queue's jobs, a page at a time. */
class Lane {
  private jobs: readonly PlacedJob[] = [];
  private taken = 0;
  private isOver = false;

  constructor(
    private readonly queue: string,
    private readonly read: ReadPage,
    private after: JobPlace | undefined,
  ) {}

  /** The next job; undefined at the end. */
  async head(): Promise<PlacedJob | undefined> {
    while (this.taken === this.jobs.length && !this.isOver) {
      const { jobs, next } = await this.read(this.queue, this.after);
      this.jobs = jobs;
      this.taken = 0;
      this.after = next;
      this.isOver = next === undefined;
    }
    return this.jobs[this.taken];
  }

  take(): void {
    this.taken++;
  }
}

/**
 * The jobs of several queues in one order, however many there are: at most a page of each queue is held.
 *
 * @internal
 */
export async function* walk(
  queues: readonly string[],
  order: 'newest' | 'oldest',
  after: JobPlace | undefined,
  read: ReadPage,
): AsyncGenerator<PlacedJob> {
  const lanes = queues.map((queue) => new Lane(queue, read, after));
  for (;;) {
    let first: { lane: Lane; job: PlacedJob } | undefined;
    for (const lane of lanes) {
      const job = await lane.head();
      if (job && (!first || comesBefore(job, first.job, order))) first = { lane, job };
    }
    if (!first) return;
    first.lane.take();
    yield first.job;
  }
}

/** Up to `size` of what comes, together. @internal */
export async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Asks for the next item while the caller works on this one, so that store and process need not wait for each other. @internal */
export async function* ahead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let coming = items.next();
  try {
    for (let item = await coming; !item.done; item = await coming) {
      coming = items.next();
      // Told when it is waited for; until then it must not count as unhandled.
      coming.catch(() => {});
      yield item.value;
    }
  } finally {
    await items.return(undefined);
  }
}

/** Ids are ASCII, so that this is the order of their bytes, in which the stores sort them. */
function comesBefore(a: JobPlace, b: JobPlace, order: 'newest' | 'oldest'): boolean {
  const isOlder = a.at === b.at ? a.id < b.id : a.at < b.at;
  return order === 'oldest' ? isOlder : !isOlder;
}
