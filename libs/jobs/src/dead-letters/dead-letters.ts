import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { FailedJob, FailedRange } from '../backend/failed-jobs.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { StoredJob } from '../client/envelope.js';
import { JobHandle } from '../client/job-handle.js';
import { queueOfJobId } from '../client/job-id.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import {
  fits,
  readFilter,
  readFilterOfAll,
  readList,
  type DeadLetterFilter,
  type DeadLetterListOptions,
} from './dead-letter-filter.js';
import { DeadLetterNotFoundError } from './dead-letter.errors.js';
import { deadLetterOf, type DeadLetter } from './dead-letter.js';
import { DeadLetterReader } from './dead-letter-reader.js';
import { ahead, inBatches } from '../client/job-walk.js';
import { cursorOf } from './page-cursor.js';
import { RedriveTally, type RedriveReport } from './redrive-report.js';
import { Redriver } from './redriver.js';

/** Jobs that are looked at together when nothing is asked of them but that they are there. */
const COUNTED = 1_000;
/** Jobs that one call of `list` looks at for those that fit. */
const MOST_LOOKED_AT = 10_000;

/** Some dead letters, the one that failed last first. @publicApi */
export interface DeadLetterPage {
  readonly letters: DeadLetter[];
  /** For the next page; absent on the last one. */
  readonly nextCursor?: string;
}

/**
 * The jobs that ended `failed`, of every declared queue: to look at them, to have them done again, to throw them away.
 * Cancelled jobs, expired ones too, are none. Each is kept for `results.keepFailedFor` (7 days), then it is removed.
 *
 * The same as `jobs.deadLetters`.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { DeadLetters } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Support {
 *   constructor(private readonly deadLetters: DeadLetters) {}
 *
 *   async afterTheOutage(from: Date): Promise<void> {
 *     const { redriven, refusals } = await this.deadLetters.redriveAll({ task: 'payment.*', error: 'TimeoutError', from });
 *     console.log(`${redriven} payments are tried again.`);
 *     for (const { id, error } of refusals) console.log(`${id}: ${error.message}`);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
// BullMQ's own failed set is the store. A second one would have to be written with the failure, which BullMQ does in one
// step of its own: every worker that died in between would lose a letter, or make two. What the set lacks is here: pages
// that hold still (see `FailedJobs`), jobs that were cancelled left out (it has them too), links instead of BullMQ's
// `retry` (which would change a job that has ended, and counts stalls of the first life in the second), and removal by
// age when nothing fails (see `DeadLetterSweeper`). All of it holds on each of the backends.
@Injectable()
export class DeadLetters {
  /** @internal */
  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    private readonly reader: DeadLetterReader,
    private readonly redriver: Redriver,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /**
   * A page of dead letters, the one that failed last first. Pages hold still: with `cursor`, none is missed and none
   * comes twice, whatever fails, is redriven or discarded between two calls.
   *
   * By queue and time the store itself selects. For the other filters each letter is looked at, at most 10,000 in a call:
   * a page may be short, or empty, and still have a `nextCursor`.
   *
   * @throws {@link InvalidDeadLetterFilterError}; {@link BackendUnavailableError}.
   * @example
   * ```ts
   * import { JobsService } from 'nestjs-jobs';
   *
   * export async function printAll(jobs: JobsService): Promise<void> {
   *   let cursor: string | undefined;
   *   do {
   *     const page = await jobs.deadLetters.list({ task: 'payment.*', ...(cursor && { cursor }) });
   *     for (const { id, task, error } of page.letters) console.log(id, task, error?.message);
   *     cursor = page.nextCursor;
   *   } while (cursor);
   * }
   * ```
   */
  async list(options: DeadLetterListOptions = {}): Promise<DeadLetterPage> {
    const { filter, limit, after } = readList(options, this.options.queues);
    // One more shows whether there is a next page.
    const size = filter.fits ? this.reader.batch : limit + 1;
    const letters: DeadLetter[] = [];
    let last: FailedJob | undefined;
    let lookedAt = 0;
    for await (const batch of inBatches(this.reader.failedIn(filter, 'newest', after), size)) {
      const jobs = await this.reader.load(batch);
      for (const [n, place] of batch.entries()) {
        if (letters.length === limit || lookedAt === MOST_LOOKED_AT) return { letters, nextCursor: cursorOf(last!) };
        const job = jobs[n];
        if (job && fits(filter, job)) letters.push(deadLetterOf(job));
        last = place;
        lookedAt++;
      }
    }
    return { letters };
  }

  /** @throws {@link DeadLetterNotFoundError}, also for a job that did not fail; {@link BackendUnavailableError}. */
  async get(id: string): Promise<DeadLetter> {
    return deadLetterOf(await this.reader.find(id));
  }

  /**
   * Has a failed job done again, by a new job with the same payload, headers, tags, queue, priority and number of
   * attempts. The failed one stays what it is, with `redrivenAs` in its status; the new one has `redriveOf`.
   *
   * One dead letter has one new job, so it is safe to call this again: that gives the same job, with `created: false`, as
   * long as the dead letter is kept. If the new job fails too, it is a dead letter of its own, to be redriven itself.
   *
   * The new job of a part of a canvas is no part of that: nothing waits for it, and it calls no links and no errbacks.
   *
   * @throws {@link DeadLetterNotFoundError}; {@link PayloadInvalidError} when the task's schema, where this process knows
   * it, does not take the payload any more; {@link CanvasPayloadError} when it never had one; {@link NotRedrivableError}; {@link DuplicateJobError} while another job has its key (`unique`,
   * `debounce`, `throttle`); {@link BackendUnavailableError}. Then call again.
   * @example
   * ```ts
   * import { JobsService } from 'nestjs-jobs';
   *
   * export async function tryAgain(jobs: JobsService, id: string): Promise<string> {
   *   const again = await jobs.deadLetters.redrive(id);
   *   return again.id;
   * }
   * ```
   */
  async redrive(id: string): Promise<JobHandle> {
    const [outcome] = await this.redriver.redrive([await this.reader.find(id)]);
    if (outcome instanceof Error) throw outcome;
    return new JobHandle(outcome!.id, this.client, undefined, outcome!.created);
  }

  /**
   * {@link redrive} for all that fit, the oldest first, as many as there are: they are read and sent in batches. Those
   * that fail while it runs are left alone, the new jobs too.
   *
   * A letter that is refused keeps none of the others back. When the backend is lost it stops; call it again, and what was
   * done is not done twice.
   *
   * @param filter - `{}` for all. A key whose value is undefined is refused: it would mean all.
   * @throws {@link InvalidDeadLetterFilterError}; {@link BackendUnavailableError}, with some of them redriven.
   */
  async redriveAll(filter: DeadLetterFilter): Promise<RedriveReport> {
    const tally = new RedriveTally();
    for await (const jobs of this.batchesOf(filter)) {
      const outcomes = await this.redriver.redrive(jobs);
      for (const [n, job] of jobs.entries()) tally.add(job.id!, outcomes[n]!);
    }
    return tally.report();
  }

  /**
   * Throws a dead letter away. Nothing is left of the job: no status, no result.
   *
   * @returns whether it was there: false for a second call.
   * @throws {@link DeadLetterNotFoundError} for a job that is there and did not fail; {@link BackendUnavailableError}.
   */
  async discard(id: string): Promise<boolean> {
    try {
      return await this.remove(await this.reader.find(id));
    } catch (error) {
      if (error instanceof DeadLetterNotFoundError && error.state === undefined) return false;
      throw error;
    }
  }

  /**
   * Throws all away that fit, as many as there are. Those that fail while it runs are left alone.
   *
   * @param filter - `{}` for all. A key whose value is undefined is refused: it would mean all.
   * @returns how many there were.
   * @throws {@link InvalidDeadLetterFilterError}; {@link BackendUnavailableError}, with some of them gone.
   * @example
   * ```ts
   * import { JobsService } from 'nestjs-jobs';
   *
   * export async function tidy(jobs: JobsService): Promise<void> {
   *   const gone = await jobs.deadLetters.discardAll({ redriven: true });
   *   console.log(`${gone} dead letters had been redriven.`);
   * }
   * ```
   */
  async discardAll(filter: DeadLetterFilter): Promise<number> {
    let discarded = 0;
    for await (const jobs of this.batchesOf(filter)) {
      const removed = await Promise.all(jobs.map((job) => this.remove(job)));
      discarded += removed.filter(Boolean).length;
    }
    return discarded;
  }

  /**
   * How many there are. With a filter other than by queue and time each of them is looked at.
   *
   * @throws {@link InvalidDeadLetterFilterError}; {@link BackendUnavailableError}.
   */
  async count(filter: DeadLetterFilter = {}): Promise<number> {
    const resolved = readFilter(filter, this.options.queues);
    let count = 0;
    if (resolved.fits) {
      for await (const jobs of this.reader.loaded(resolved)) count += jobs.length;
      return count;
    }
    for (const queue of resolved.queues) {
      const ofQueue = { ...resolved, queues: [queue] };
      let next: FailedRange['after'];
      do {
        const page = await this.reader.readPage(ofQueue, queue, 'oldest', COUNTED, next);
        count += page.jobs.filter(({ id }) => queueOfJobId(id) === queue).length;
        next = page.next;
      } while (next);
    }
    return count;
  }

  /**
   * How long ago the oldest one failed, in milliseconds; undefined when there is none. For alerts: with
   * `{ redriven: false }`, how long something has waited for somebody to look at it.
   *
   * @throws {@link InvalidDeadLetterFilterError}; {@link BackendUnavailableError}.
   */
  async oldestAge(filter: DeadLetterFilter = {}): Promise<number | undefined> {
    const resolved = readFilter(filter, this.options.queues);
    if (resolved.fits) {
      for await (const [oldest] of this.reader.loaded(resolved)) if (oldest) return ageOf(oldest.finishedOn!);
      return undefined;
    }
    for await (const { at } of this.reader.failedIn(resolved, 'oldest')) return ageOf(at);
    return undefined;
  }

  /** What failed after the call is not meant, or jobs that fail again at once would be redriven without end. */
  private batchesOf(filter: DeadLetterFilter): AsyncGenerator<StoredJob[]> {
    return ahead(this.reader.loaded(readFilterOfAll(filter, this.options.queues), Date.now() + 1));
  }

  /** Not with BullMQ's `remove`: that tells a parent which waits for its children that this one has done its part. */
  private remove(job: StoredJob): Promise<boolean> {
    const queue = this.queues.get(job.queueName);
    return this.client.reach(() => this.backend.forget(queue, job.id!, job.finishedOn!));
  }
}

function ageOf(at: number): number {
  return Math.max(0, Date.now() - at);
}
