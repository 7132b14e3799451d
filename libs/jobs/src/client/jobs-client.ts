import { Inject, Injectable } from '@nestjs/common';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { JobEvents } from '../events/job-events.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { KeptElsewhere } from '../results/result-reference.js';
import { StoredResults, type Patience } from '../results/stored-results.js';
import type { TaskRef } from '../task/task-ref.js';
import { TaskSettings } from '../task/task.settings.js';
import { JobNotFoundError } from './client.errors.js';
import { claimInDoubt } from './current-job.js';
import { enqueueCall, type EnqueueCall } from './enqueue-call.js';
import { assertTaskRef, readEntries, type EnqueuedJobs, type EnqueueEntries } from './enqueue-entries.js';
import { EnqueueManyError } from './enqueue-many.error.js';
import {
  asEnqueueError,
  resolveEnqueueOptions,
  resolveEntryOptions,
  resolveManyOptions,
  type EnqueueOptions,
} from './enqueue-options.js';
import type { EnqueueTransaction } from './enqueue-transaction.js';
import { JobHandle, type JobOperations } from './job-handle.js';
import { queueOfJobId } from './job-id.js';
import { JobCanceller, type CancelReport } from './job-canceller.js';
import { JobReader } from './job-reader.js';
import type { Sent } from './first-of-its-id.js';
import { JobSender } from './job-sender.js';
import type { JobStatus } from './job-status.js';
import type { JobTree } from './job-tree.js';
import { JobPreparer, type PreparedJob } from './prepared-job.js';
import { Queues } from './queues.js';
import { Routing } from './routing.js';
import { TreeReader } from './tree-reader.js';

/** The payload, which only a task without one may leave out, and the options. */
export type EnqueueArguments<Payload> = undefined extends Payload
  ? [payload?: Payload, options?: EnqueueOptions]
  : [payload: Payload, options?: EnqueueOptions];

/** How long the tag index names a job that waited for its turn and for its attempts, beside its delay and retention. */
const LONGEST_WAIT = 7 * 24 * 3_600_000;

/**
 * As BullMQ calls them: with a time, with a priority, and with none, which given-back jobs have. In the order in which a job
 * goes through them, so that none slips past.
 */
const WAITING_STATES = ['delayed', 'prioritized', 'wait'] as const;
/** Jobs that one call removes: Redis serves nobody else meanwhile. */
const PURGE_BATCH = 1_000;
/** Also of producers whose clock is ahead (ms). */
const ANY_AGE = -365 * 24 * 3_600_000;

/** Enqueues jobs and finds them again: the base of {@link JobsService}. @internal */
@Injectable()
export class JobsClient implements JobOperations {
  private readonly preparer: JobPreparer;
  private readonly sender: JobSender;
  private readonly canceller: JobCanceller;
  /** Milliseconds for which the tag index names a job, beside those of its delay. */
  readonly taggedFor: number;

  constructor(
    private readonly queues: Queues,
    private readonly reader: JobReader,
    settings: TaskSettings,
    routing: Routing,
    private readonly results: StoredResults,
    events: JobEvents,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.preparer = new JobPreparer(settings, routing, options);
    this.taggedFor = Math.max(options.keepFor, options.keepFailedFor) + LONGEST_WAIT;
    this.sender = new JobSender(queues, backend, reader, events, { ...options, taggedFor: this.taggedFor });
    this.canceller = new JobCanceller(queues, backend, reader, this.sender);
  }

  async enqueue<Payload, Result>(
    ref: TaskRef<Payload, Result>,
    ...[payload, options]: EnqueueArguments<Payload>
  ): Promise<JobHandle<Result>> {
    const doubt = claimInDoubt();
    if (doubt) await doubt;
    asEnqueueError(() => assertTaskRef(ref, 'task'));
    const { transaction, ...own } = resolveEnqueueOptions(options, Date.now());
    const job = await this.preparer.prepare(enqueueCall({ ref, payload, options: own, given: options }, undefined));
    return this.handleOf<Result>(await this.sender.send(job, transaction));
  }

  async enqueueMany<const Refs extends readonly TaskRef[]>(
    entries: EnqueueEntries<Refs>,
    options?: EnqueueTransaction,
  ): Promise<EnqueuedJobs<Refs>> {
    const doubt = claimInDoubt();
    if (doubt) await doubt;
    const transaction = resolveManyOptions(options);
    const now = Date.now();
    const calls = readEntries(entries).map(({ task: ref, payload, options: given, place }) => {
      const own = resolveEntryOptions(given, now, `${place}.options`);
      return enqueueCall({ ref, payload, options: own, given }, place);
    });
    const jobs = await Promise.all(calls.map(async (call) => this.preparer.prepare(call)));
    const outcomes = await this.sender.sendMany(jobs, transaction);
    if (outcomes.some((outcome) => outcome instanceof Error)) throw this.errorOf(outcomes);
    return (outcomes as Sent[]).map((sent) => this.handleOf(sent)) as EnqueuedJobs<Refs>;
  }

  /** Answers how many jobs were removed. */
  async purge(queueName: string): Promise<number> {
    const queue = this.queues.get(queueName);
    let purged = 0;
    for (const state of WAITING_STATES) {
      for (let removed = PURGE_BATCH; removed === PURGE_BATCH; purged += removed) {
        const batch = await this.sender.reach(() => queue.clean(ANY_AGE, PURGE_BATCH, state));
        removed = batch.length;
      }
    }
    return purged;
  }

  /** What a call becomes; nothing is sent. */
  prepare(call: EnqueueCall): PreparedJob | Promise<PreparedJob> {
    return this.preparer.prepare(call);
  }

  /** Stores jobs that were prepared elsewhere, and tells what became of each, in their order. */
  sendPrepared(jobs: readonly PreparedJob[]): Promise<(Sent | Error)[]> {
    return this.sender.sendMany(jobs, undefined);
  }

  /** Does something with the backend that fails within `connectTimeout` when that is away, as `enqueue` does. */
  reach<T>(work: () => Promise<T>): Promise<T> {
    return this.sender.reach(work);
  }

  job(id: string): JobHandle {
    return new JobHandle(id, this);
  }

  status(id: string): Promise<JobStatus | undefined> {
    return this.sender.reach(() => this.reader.status(id));
  }

  async placedStatus(id: string): Promise<JobStatus | undefined> {
    const status = await this.status(id);
    return status && this.placed(status);
  }

  /** A status of a moment ago, with how many jobs are before one that is pending. */
  placed(status: JobStatus): Promise<JobStatus> {
    return this.sender.reach(() => this.reader.placed(status));
  }

  /** Of a job of ours, in a queue that this process need not have declared. */
  statusAnywhere(id: string): Promise<JobStatus | undefined> {
    return this.sender.reach(() => this.reader.statusAnywhere(id));
  }

  tree(id: string): Promise<JobTree | undefined> {
    return new TreeReader(this.reader, (work) => this.sender.reach(work)).read(id);
  }

  untilEnded(id: string, timeout: number): Promise<JobStatus | 'timeout' | undefined> {
    return this.reader.untilEnded(id, timeout);
  }

  async resultOf({ result, resultRef, queue }: JobStatus, patience: Patience): Promise<unknown> {
    const value = resultRef ? await this.results.value(new KeptElsewhere(resultRef), patience) : result;
    return queue === INTERNAL_QUEUE && Array.isArray(value) ? this.results.membersOf(value) : value;
  }

  async cancel(id: string, reason: string | undefined, isFlow: boolean): Promise<boolean> {
    const queueName = queueOfJobId(id);
    if (queueName === undefined || !this.options.queues.has(queueName)) throw new JobNotFoundError(id);
    return isFlow ? this.canceller.cancelFlow(queueName, id, reason) : this.canceller.cancel(queueName, id, reason);
  }

  /** With what it waits for; of a job of ours, in a queue that this process need not have declared. */
  cancelAnywhere(id: string, reason: string | undefined): Promise<boolean> {
    return this.canceller.cancelFlow(queueOfJobId(id)!, id, reason);
  }

  /** What a job waits for, at any depth. */
  cancelBelow(queue: string, id: string, reason: string | undefined): Promise<void> {
    return this.canceller.cancelChildren({ queue, id }, reason);
  }

  cancelByTag(tag: string, reason: string | undefined): Promise<CancelReport> {
    return this.canceller.cancelByTag(tag, (queue) => this.options.queues.has(queue), reason);
  }

  /** A backend that was away for every job is what it is for one. */
  private errorOf(outcomes: readonly (Sent | Error)[]): Error {
    if (outcomes.every((outcome) => outcome instanceof BackendUnavailableError)) return outcomes[0] as Error;
    const failed = outcomes.flatMap((error, index) => (error instanceof Error ? [{ index, error }] : []));
    const enqueued = outcomes.flatMap((outcome) => (outcome instanceof Error ? [] : [this.handleOf(outcome)]));
    return new EnqueueManyError(enqueued, failed);
  }

  private handleOf<Result = unknown>({ id, start, created }: Sent): JobHandle<Result> {
    return new JobHandle<Result>(id, this, start, created);
  }
}
