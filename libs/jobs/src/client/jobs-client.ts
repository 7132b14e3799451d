import { Inject, Injectable } from '@nestjs/common';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import type { TaskRef } from '../task/task-ref.js';
import { TaskSettings } from '../task/task.settings.js';
import { cancelMark } from './cancel-mark.js';
import { JobNotFoundError } from './client.errors.js';
import { readEntries, type EnqueuedJobs, type EnqueueEntries } from './enqueue-entries.js';
import { EnqueueManyError } from './enqueue-many.error.js';
import {
  resolveEnqueueOptions,
  resolveEntryOptions,
  resolveManyOptions,
  type EnqueueOptions,
  type EnqueueTransaction,
} from './enqueue-options.js';
import { JobHandle, type JobOperations } from './job-handle.js';
import { queueOfJobId } from './job-id.js';
import { JobReader } from './job-reader.js';
import { JobSender, type Refusal } from './job-sender.js';
import type { JobStatus } from './job-status.js';
import { JobPreparer, type PreparedJob } from './prepared-job.js';
import { Queues } from './queues.js';

/** The payload, which only a task without one may leave out, and the options. */
export type EnqueueArguments<Payload> = undefined extends Payload
  ? [payload?: Payload, options?: EnqueueOptions]
  : [payload: Payload, options?: EnqueueOptions];

/** Enqueues jobs and finds them again: the base of {@link JobsService}. @internal */
@Injectable()
export class JobsClient implements JobOperations {
  private readonly preparer: JobPreparer;
  private readonly sender: JobSender;

  constructor(
    private readonly queues: Queues,
    private readonly reader: JobReader,
    settings: TaskSettings,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.preparer = new JobPreparer(settings, options);
    this.sender = new JobSender(queues, backend, options.connectTimeout);
  }

  async enqueue<Payload, Result>(
    ref: TaskRef<Payload, Result>,
    ...[payload, options]: EnqueueArguments<Payload>
  ): Promise<JobHandle<Result>> {
    const { transaction, ...call } = resolveEnqueueOptions(options, Date.now());
    const job = this.preparer.prepare(ref, payload, call);
    await this.sender.send(job, transaction);
    return this.handleOf<Result>(job);
  }

  async enqueueMany<const Refs extends readonly TaskRef[]>(
    entries: EnqueueEntries<Refs>,
    options?: EnqueueTransaction,
  ): Promise<EnqueuedJobs<Refs>> {
    const transaction = resolveManyOptions(options);
    const now = Date.now();
    const jobs = readEntries(entries).map(({ task, payload, options: own, place }) =>
      this.preparer.prepare(task, payload, resolveEntryOptions(own, now, `${place}.options`), place),
    );
    const refusals = await this.sender.sendMany(jobs, transaction);
    if (refusals.some(Boolean)) throw this.errorOf(jobs, refusals);
    return jobs.map((job) => this.handleOf(job)) as EnqueuedJobs<Refs>;
  }

  job(id: string): JobHandle {
    return new JobHandle(id, this);
  }

  status(id: string): Promise<JobStatus | undefined> {
    return this.sender.reach(() => this.reader.status(id));
  }

  untilEnded(id: string, timeout: number): Promise<JobStatus | 'timeout' | undefined> {
    return this.reader.untilEnded(id, timeout);
  }

  async cancel(id: string, reason: string | undefined): Promise<boolean> {
    const queueName = queueOfJobId(id);
    if (queueName === undefined || !this.options.queues.has(queueName)) throw new JobNotFoundError(id);
    const queue = this.queues.get(queueName);
    const found = await this.sender.reach(() => this.backend.markCancelled(queue, id, cancelMark(reason)));
    if (found === 'missing') throw new JobNotFoundError(id);
    if (found === 'finished') return (await this.status(id))?.state === 'cancelled';
    return found === 'marked';
  }

  /** A backend that was away for every job is what it is for one. */
  private errorOf(jobs: readonly PreparedJob[], refusals: readonly Refusal[]): Error {
    if (refusals.every((refusal) => refusal instanceof BackendUnavailableError)) return refusals[0]!;
    const enqueued = jobs.filter((_, index) => !refusals[index]).map((job) => this.handleOf(job));
    const failed = refusals.flatMap((error, index) => (error ? [{ index, error }] : []));
    return new EnqueueManyError(enqueued, failed);
  }

  private handleOf<Result = unknown>(job: PreparedJob): JobHandle<Result> {
    return new JobHandle<Result>(job.id, this, job.start);
  }
}
