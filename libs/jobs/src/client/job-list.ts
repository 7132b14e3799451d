import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { JobPlace, PlacedJob } from '../backend/job-sets.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { queueOfJobId } from './job-id.js';
import {
  cursorOf,
  isOurs,
  readJobList,
  sourcesLeft,
  type JobListOptions,
  type JobListPage,
  type JobSource,
  type ListPlace,
  type ResolvedJobList,
} from './job-list-options.js';
import type { JobStatus } from './job-status.js';
import { inBatches, walk } from './job-walk.js';
import { JobsClient } from './jobs-client.js';
import { Queues } from './queues.js';

/** Jobs that one call looks at for those that fit. */
const MOST_LOOKED_AT = 1_000;
/** Ids that the store gives in one go. */
const PAGE = 250;
/** Jobs that are read together. */
const MOST_TOGETHER = 100;
/** Bytes of payload that they have at most: what a store hands over in far less than `connectTimeout`. */
const MOST_BYTES_TOGETHER = 16 * 2 ** 20;

type Candidate = PlacedJob & { readonly source: JobSource };

/** Finds jobs by what they are. @internal */
@Injectable()
export class JobList {
  private readonly batch: number;

  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.batch = Math.min(MOST_TOGETHER, Math.max(1, Math.floor(MOST_BYTES_TOGETHER / options.maxPayloadSize)));
  }

  async list(options: JobListOptions): Promise<JobListPage> {
    const wanted = readJobList(options, this.options.queues);
    const { limit, fits, isAll } = wanted;
    // One more shows whether there is a next page.
    const size = isAll ? Math.min(limit + 1, this.batch) : this.batch;
    // One that goes on while it is looked for is in two sets.
    const found = new Map<string, JobStatus>();
    let last: ListPlace | undefined;
    let lookedAt = 0;
    for await (const batch of inBatches(this.candidates(wanted), size)) {
      const statuses = await this.read(batch, wanted);
      for (const [n, place] of batch.entries()) {
        if (found.size === limit || lookedAt === MOST_LOOKED_AT)
          return { jobs: [...found.values()], cursor: cursorOf(last!) };
        const status = statuses[n];
        if (status && fits(status)) found.set(status.id, status);
        last = place;
        lookedAt++;
      }
    }
    return { jobs: [...found.values()] };
  }

  private async *candidates(wanted: ResolvedJobList): AsyncGenerator<Candidate> {
    for (const { source, from } of sourcesLeft(wanted)) {
      const jobs =
        source === 'tagged'
          ? this.tagged(wanted.tag!, from)
          : walk(wanted.queues, 'newest', from, (queue, after) =>
              this.client.reach(() => this.backend.sets.page(this.queues.get(queue), source, after, PAGE)),
            );
      for await (const job of jobs) yield { ...job, source };
    }
  }

  private async *tagged(tag: string, from: JobPlace | undefined): AsyncGenerator<PlacedJob> {
    for (let after = from; ;) {
      const page = await this.client.reach(() => this.backend.tags.page(tag, after, PAGE));
      for (const { id, at } of page.jobs) yield { queue: queueOfJobId(id) ?? '', id, at };
      if (!page.next) return;
      after = page.next;
    }
  }

  private read(batch: readonly Candidate[], { queues }: ResolvedJobList): Promise<(JobStatus | undefined)[]> {
    const isMeant = (job: Candidate): boolean => queues.includes(job.queue) && isOurs(job);
    return Promise.all(batch.map(async (job) => (isMeant(job) ? this.client.status(job.id) : undefined)));
  }
}
