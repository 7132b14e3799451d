import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { FailedJob, FailedPage, FailedRange } from '../backend/failed-jobs.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { NO_DEAD_LETTER, readChildFailure } from '../client/child-failure.js';
import { withEnvelope, type StoredJob } from '../client/envelope.js';
import { queueOfJobId } from '../client/job-id.js';
import { JobReader } from '../client/job-reader.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import { readStatus } from '../client/read-status.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { fits, type ResolvedFilter } from './dead-letter-filter.js';
import { DeadLetterNotFoundError } from './dead-letter.errors.js';
import { inBatches, walk } from '../client/job-walk.js';

/** Jobs that are read, sent or removed together. */
const MOST_TOGETHER = 250;
/** Bytes of payload that they have at most: what a store hands over in far less than `connectTimeout`. */
const MOST_BYTES_TOGETHER = 16 * 2 ** 20;
/** Jobs that the store looks at in one go. Far more than wanted, or each one that was cancelled costs a round trip. */
const PAGE = 250;

/** Finds dead letters among the jobs in BullMQ's failed sets. @internal */
@Injectable()
export class DeadLetterReader {
  /** How many jobs are worked on together. */
  readonly batch: number;

  constructor(
    private readonly queues: Queues,
    private readonly jobs: JobReader,
    private readonly client: JobsClient,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.batch = Math.min(MOST_TOGETHER, Math.max(1, Math.floor(MOST_BYTES_TOGETHER / options.maxPayloadSize)));
  }

  /** Those that fit, the oldest first. A batch may be empty. */
  async *loaded(filter: ResolvedFilter, before = filter.to): AsyncGenerator<StoredJob[]> {
    const bounded = { ...filter, to: Math.min(filter.to, before) };
    for await (const batch of inBatches(this.failedIn(bounded, 'oldest'), this.batch)) {
      const jobs = await this.load(batch);
      yield jobs.filter((job) => job !== undefined && fits(filter, job)) as StoredJob[];
    }
  }

  /** Those of its queues and its time, cancelled ones left out; whether they fit otherwise is not asked. */
  failedIn(
    filter: ResolvedFilter,
    order: FailedRange['order'],
    after?: FailedRange['after'],
  ): AsyncGenerator<FailedJob> {
    const read = async (queue: string, from: FailedRange['after']): Promise<FailedPage> => {
      const { jobs, next } = await this.readPage(filter, queue, order, PAGE, from);
      // Whatever was added past this library has an id by which nobody could ask for it.
      return { jobs: jobs.filter(({ id }) => queueOfJobId(id) === queue), next };
    };
    return walk(filter.queues, order, after, read);
  }

  /** Of one queue. */
  readPage(
    filter: ResolvedFilter,
    queue: string,
    order: FailedRange['order'],
    most: number,
    after: FailedRange['after'],
  ): ReturnType<QueueBackend['failed']['page']> {
    const from = Math.max(filter.from, this.keptSince());
    const range = { order, from, to: filter.to, after, most, exceptReason: NO_DEAD_LETTER };
    return this.client.reach(() => this.backend.failed.page(this.queues.get(queue), range));
  }

  /** In the order of `places`; undefined for those that were removed since, and those that an id is used for again. */
  async load(places: readonly FailedJob[]): Promise<(StoredJob | undefined)[]> {
    const jobs: (StoredJob | undefined)[] = [];
    for (let n = 0; n < places.length; n += this.batch) {
      const together = places.slice(n, n + this.batch);
      const loaded = await this.client.reach(() =>
        Promise.all(together.map(({ queue, id }) => this.queues.get(queue).getJob(id))),
      );
      jobs.push(...loaded.map((job, m) => (job?.finishedOn === together[m]!.at ? withEnvelope(job) : undefined)));
    }
    return jobs;
  }

  /** @throws {@link DeadLetterNotFoundError} */
  async find(id: string): Promise<StoredJob> {
    const queueName = queueOfJobId(id);
    if (queueName === undefined || !this.options.queues.has(queueName)) throw new DeadLetterNotFoundError(id);
    const found = await this.client.reach(() => this.jobs.find(queueName, id));
    if (!found) throw new DeadLetterNotFoundError(id);
    const { job, state } = found;
    if (state === 'failed' && job.finishedOn! < this.keptSince()) throw new DeadLetterNotFoundError(id);
    const status = readStatus(job, state);
    if (status.state !== 'failed' || readChildFailure(job.failedReason))
      throw new DeadLetterNotFoundError(id, status.state, status.failedJob);
    return job;
  }

  /** Those that failed before (ms since the epoch) are to be removed, and none any more. */
  keptSince(): number {
    return Math.max(0, Date.now() - Math.ceil(this.options.keepFailedFor / 1_000) * 1_000);
  }
}
