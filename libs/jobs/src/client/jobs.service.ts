import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import type { CanvasHandle } from '../canvas/canvas-handle.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { CanvasStarter, type StartOptions } from '../canvas/canvas-starter.js';
import type { Signature } from '../canvas/signature.js';
import { DeadLetters } from '../dead-letters/dead-letters.js';
import { Fleet } from '../fleet/fleet.js';
import { RateLimits } from '../limits/rate-limits.js';
import { JobLocks } from '../locking/job-locks.js';
import { JobResults } from '../results/job-results.js';
import { Schedules } from '../schedule/schedules.js';
import type { TaskRef } from '../task/task-ref.js';
import { TaskSettings } from '../task/task.settings.js';
import { BackgroundWork } from './background-work.js';
import type { EnqueuedJobs, EnqueueEntries } from './enqueue-entries.js';
import type { EnqueueTransaction } from './enqueue-transaction.js';
import { isTag, TAG_RULE } from './headers-and-tags.js';
import { invalidArgument, requireReason } from './invalid-argument.error.js';
import type { CancelReport } from './job-canceller.js';
import type { JobHandle } from './job-handle.js';
import { JobList } from './job-list.js';
import type { JobListOptions, JobListPage } from './job-list-options.js';
import type { JobStatus } from './job-status.js';
import { JobsClient, type EnqueueArguments } from './jobs-client.js';
import { Queues } from './queues.js';

/**
 * What an app does with jobs. Inject it where work is to be enqueued or looked up.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { JobsService, Task, task } from 'nestjs-jobs';
 *
 * @Injectable()
 * class Mails {
 *   @Task()
 *   async welcome(payload: { userId: string }): Promise<void> {
 *     console.log(payload.userId);
 *   }
 * }
 *
 * @Injectable()
 * export class Users {
 *   constructor(private readonly jobs: JobsService) {}
 *
 *   async register(userId: string): Promise<string> {
 *     const job = await this.jobs.enqueue(task(Mails, 'welcome'), { userId }, { delay: '10m' });
 *     return job.id;
 *   }
 * }
 * ```
 *
 * @publicApi
 */
@Injectable()
export class JobsService {
  /** @internal */
  constructor(
    private readonly client: JobsClient,
    private readonly queues: Queues,
    private readonly settings: TaskSettings,
    private readonly work: BackgroundWork,
    private readonly canvases: CanvasStarter,
    private readonly listing: JobList,
    /** The jobs that failed: to list, to redrive and to discard. */
    readonly deadLetters: DeadLetters,
    /** Locks and semaphores for any code, in the whole fleet. */
    readonly locks: JobLocks,
    /** Rate limits of the whole fleet: for any code, and to be changed at run time. */
    readonly limits: RateLimits,
    /** Schedules that are made and changed at run time, and those of the code to look at. */
    readonly schedules: Schedules,
    /** Reads results that are kept in `results.store`. */
    readonly results: JobResults,
    /** The live processes and what they do, to look at and to control. */
    readonly fleet: Fleet,
  ) {}

  /**
   * Stores a job for a task. Once this resolves, the job is run to a final state at least once, whatever happens to
   * this process. With the option `transaction` that holds from the COMMIT on; before it nothing exists or runs.
   *
   * The payload is read until then, not copied: an object that is changed before this resolves is stored as changed.
   *
   * @throws {@link PayloadNotSerializableError} and {@link PayloadTooLargeError} for what cannot be stored;
   * {@link PayloadInvalidError} for what the task's schema refuses; {@link InvalidEnqueueOptionsError};
   * {@link InvalidJobsOptionsError} for a queue that is not declared; {@link InvalidRouteError} when the module's router
   * answers with what is no place; {@link DuplicateJobError} for a key that is taken, if `unique.onConflict` says so;
   * {@link BackendUnavailableError} within `connectTimeout`; {@link TransactionNotSupportedError}.
   */
  enqueue<Payload, Result>(
    ref: TaskRef<Payload, Result>,
    ...args: EnqueueArguments<Payload>
  ): Promise<JobHandle<Result>> {
    return this.client.enqueue(ref, ...args);
  }

  /**
   * Stores many jobs, also of different tasks, in one round trip for each queue. What {@link enqueue} promises of a job
   * is promised of each, and the handles come in the order of the entries. All entries are checked before anything is
   * sent, so a list with a wrong one leaves nothing behind; the error names its place, as in `entries[3]`.
   *
   * The jobs of one queue are stored together, those of several not: the store may take some and refuse others, on Redis
   * also of one queue. Only a `transaction` makes the whole list one. Without it everything must be stored within
   * `connectTimeout` (2 s), so send more than some thousands in several calls. Ids of your own and
   * keys that were taken are looked up after that.
   *
   * @param entries - what to enqueue: the task, its payload, and the options of `enqueue`. An empty list gives one back.
   * @param options - `transaction`: enqueues them all with statements of a transaction of yours, see
   * {@link EnqueueTransaction}.
   * @throws what {@link enqueue} throws, of an entry, then nothing is enqueued; {@link EnqueueManyError} when the store
   * refused jobs: it tells which, and has the handles of the others; {@link BackendUnavailableError} within
   * `connectTimeout`, or once more as long for a backend that is lost between the jobs and that look-up.
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { JobsService, Task, task } from 'nestjs-jobs';
   *
   * @Injectable()
   * class Mails {
   *   @Task()
   *   async welcome(payload: { userId: string }): Promise<void> {
   *     console.log(payload.userId);
   *   }
   * }
   *
   * export async function welcomeAll(jobs: JobsService, users: { id: string }[]): Promise<string[]> {
   *   const handles = await jobs.enqueueMany(
   *     users.map((user) => ({
   *       task: task(Mails, 'welcome'),
   *       payload: { userId: user.id },
   *       options: { priority: 7 },
   *     })),
   *   );
   *   return handles.map(({ id }) => id);
   * }
   * ```
   */
  enqueueMany<const Refs extends readonly TaskRef[]>(
    entries: EnqueueEntries<Refs>,
    options?: EnqueueTransaction,
  ): Promise<EnqueuedJobs<Refs>> {
    return this.client.enqueueMany<Refs>(entries, options);
  }

  /**
   * Starts a canvas: a {@link chain}, a {@link group}, a {@link chord}, or a single signature. What is known of it is stored
   * in one step, all or nothing, up to some hundred jobs; what depends on results, and what is too much for one step, is
   * added by jobs of the library's own, which go on after any crash. Once this resolves the canvas is run to its end.
   *
   * A group of a large iterable is added while it is read: then this resolves when all members are there, and they run
   * meanwhile. When this process dies before that, the canvas fails with {@link AbandonedCanvasError}.
   *
   * @param canvas - one that needs no result of a step before.
   * @param options - for each part that does not set its own; `tags` for all.
   * @throws {@link InvalidCanvasError}, {@link CanvasTooLargeError}, and what {@link enqueue} throws: then nothing is
   * enqueued, unless it was a large iterable that threw.
   * @example
   * ```ts
   * import { chord, taskContract, type JobsService } from 'nestjs-jobs';
   *
   * const measure = taskContract<string, number>('file.measure');
   * const sum = taskContract<number[], number>('numbers.sum');
   *
   * export async function total(jobs: JobsService, files: string[]): Promise<number> {
   *   const canvas = chord(files.map((file) => measure.s(file)), sum.s());
   *   const started = await jobs.start(canvas, { priority: 7, expiresIn: '1h', tags: ['totals'] });
   *   return started.result({ timeout: '5m' });
   * }
   * ```
   */
  start<Result>(canvas: Signature<undefined, Result>, options?: StartOptions): Promise<CanvasHandle<Result>> {
    return this.canvases.start(canvas, options);
  }

  /** The handle of a job by its id; whether there is such a job shows when it is asked. */
  job(id: string): JobHandle {
    return this.client.job(id);
  }

  /**
   * Cancels all jobs with a tag that have not ended, as {@link JobHandle.cancel} does each of them.
   *
   * @param options - `reason`: shown in the status; at most 500 characters.
   * @returns how many there were. Jobs that are enqueued at the same time may be missed.
   * @throws {@link InvalidArgumentError}; {@link BackendUnavailableError} within `connectTimeout`, with some of the jobs
   * cancelled perhaps: call it again.
   * @example
   * ```ts
   * import { JobsService } from 'nestjs-jobs';
   *
   * export async function customerHasLeft(jobs: JobsService, customer: string): Promise<void> {
   *   const { cancelled, asked } = await jobs.cancelByTag(customer, { reason: 'the customer has left' });
   *   console.log(`${cancelled} jobs will not run, ${asked} are asked to stop.`);
   * }
   * ```
   */
  async cancelByTag(tag: string, options: { reason?: string } = {}): Promise<CancelReport> {
    if (!isTag(tag)) throw invalidArgument('the tag', TAG_RULE, tag);
    return this.client.cancelByTag(tag, requireReason(options.reason));
  }

  /** Where several jobs stand, by id; null for those that are not there. */
  async statuses(ids: readonly string[]): Promise<Record<string, JobStatus | null>> {
    const entries = ids.map(async (id) => [id, (await this.client.status(id)) ?? null] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  /**
   * A page of the jobs that fit: those that are kept, of every declared queue, without the library's own. They come in the
   * order `blocked`, delayed (`scheduled`, `retrying` and parked ones), waiting, `running`, `succeeded`, `failed` and
   * cancelled; of these, those first that ended last, that are due last, or that were added last of one priority. With
   * `tag`, those first that were added last.
   *
   * By queue and state the store selects. For the rest each job is looked at, at most 1,000 in a call: a page may be short,
   * or empty, and still have a `cursor`. A `tag` finds jobs for about a week after `results.keepFor` and the delay.
   *
   * A cursor stays good whatever comes and goes, and paging comes to an end. A job that stays where it is comes once. One
   * that goes on between two pages may come in both, and one that goes back (to be tried again, say) in none; of jobs that
   * are added meanwhile, some do not come. On Redis, 10,000 running jobs of a queue are looked at.
   *
   * @throws {@link InvalidArgumentError}; {@link BackendUnavailableError}.
   * @example
   * ```ts
   * import { JobsService } from 'nestjs-jobs';
   *
   * export async function printOpen(jobs: JobsService, customer: string): Promise<void> {
   *   let cursor: string | undefined;
   *   do {
   *     const page = await jobs.list({ tag: customer, state: ['pending', 'running'], ...(cursor && { cursor }) });
   *     for (const { id, task, state } of page.jobs) console.log(id, task, state);
   *     cursor = page.cursor;
   *   } while (cursor);
   * }
   * ```
   */
  list(options: JobListOptions = {}): Promise<JobListPage> {
    return this.listing.list(options);
  }

  /**
   * Removes all jobs of a queue that wait: the `pending` ones (also those that were given back, that wait for a worker with
   * their task, or that were cancelled and no worker has seen yet), the `scheduled` and the `retrying` ones. Running and
   * ended jobs stay, and so do jobs that are `blocked` by children. Nothing is left of what is removed: no status, no
   * failure; `handle.result()` rejects with {@link JobNotFoundError}. Jobs that are enqueued at the same time may go too.
   *
   * @returns how many jobs were removed.
   * @throws {@link InvalidJobsOptionsError} when the queue is not declared; {@link BackendUnavailableError} within
   * `connectTimeout`, with some of the jobs removed perhaps.
   * @example
   * ```ts
   * import { JobsService } from 'nestjs-jobs';
   *
   * export async function startOver(jobs: JobsService): Promise<void> {
   *   const removed = await jobs.purge('imports');
   *   console.log(`${removed} imports will not run.`);
   * }
   * ```
   */
  async purge(queue: string): Promise<number> {
    this.settings.assertDeclared(queue, 'queue');
    return this.client.purge(queue);
  }

  /**
   * Does quick work in this process, after what the caller is doing, and returns at once. It is **not durable**: nothing is
   * stored, it is lost when the process dies, it is not tried again, and what it throws is only logged. A shutdown waits for
   * it, at most `shutdown.grace`. For whatever must happen, enqueue a job.
   *
   * The idea is the `BackgroundTasks` of FastAPI.
   *
   * @param work - gets a signal that is aborted when the shutdown waits no longer. It belongs to no job, also when a task
   * starts it: `JobContext.current()` is undefined in it.
   * @throws {@link BackgroundWorkRefusedError} once the shutdown has waited for such work; {@link AttemptEndedError} below
   * the method of an attempt that was ended while it ran on.
   * @example
   * ```ts
   * import { Controller, Get } from '@nestjs/common';
   * import { JobsService } from 'nestjs-jobs';
   *
   * @Controller('articles')
   * export class Articles {
   *   private readonly views = new Map<string, number>();
   *
   *   constructor(private readonly jobs: JobsService) {}
   *
   *   @Get()
   *   read(): string {
   *     this.jobs.background(() => this.views.set('today', (this.views.get('today') ?? 0) + 1));
   *     return 'An article.';
   *   }
   * }
   * ```
   */
  background(work: (signal: AbortSignal) => unknown): void {
    this.work.start(work);
  }

  /**
   * The BullMQ queue behind a declared queue, for what BullMQ can and this library does not offer. Also of `jobs-internal`,
   * the library's own.
   *
   * @throws {@link InvalidJobsOptionsError} when the queue is not declared.
   */
  queue(name: string): Queue {
    if (name !== INTERNAL_QUEUE) this.settings.assertDeclared(name, 'queue');
    return this.queues.get(name);
  }
}
