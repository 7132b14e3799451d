import { Inject, Injectable } from '@nestjs/common';
import type { JobsOptions as EngineOptions } from 'bullmq';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { withTimeout } from '../backend/with-timeout.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { DECIDED_BACKOFF } from '../retry/decided-backoff.js';
import type { TaskRef } from '../task/task-ref.js';
import { TaskSettings } from '../task/task.settings.js';
import { cancelMark } from './cancel-mark.js';
import { JobNotFoundError, PayloadNotSerializableError, PayloadTooLargeError } from './client.errors.js';
import { resolveEnqueueOptions, type EnqueueOptions, type ResolvedEnqueueOptions } from './enqueue-options.js';
import { toEnginePriority, type JobEnvelope } from './envelope.js';
import { JobHandle, type JobOperations } from './job-handle.js';
import { newJobId, queueOfJobId } from './job-id.js';
import { JobReader } from './job-reader.js';
import type { JobStatus } from './job-status.js';
import { findNotJson } from './json-check.js';
import { Queues } from './queues.js';

/** The payload, which only a task without one may leave out, and the options. */
export type EnqueueArguments<Payload> = undefined extends Payload
  ? [payload?: Payload, options?: EnqueueOptions]
  : [payload: Payload, options?: EnqueueOptions];

/** Enqueues jobs and finds them again: the base of {@link JobsService}. @internal */
@Injectable()
export class JobsClient implements JobOperations {
  constructor(
    private readonly queues: Queues,
    private readonly reader: JobReader,
    private readonly settings: TaskSettings,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  async enqueue<Payload, Result>(
    ref: TaskRef<Payload, Result>,
    ...[payload, options]: EnqueueArguments<Payload>
  ): Promise<JobHandle<Result>> {
    const call = resolveEnqueueOptions(options, Date.now());
    const task = this.settings.resolve(ref.options, ref.name);
    const queueName = call.queue ?? task.queue;
    this.settings.assertDeclared(queueName, 'queue');
    const envelope = this.seal(ref.name, payload);
    const id = newJobId(queueName);
    const engineOptions = this.engineOptions(id, task.retry.attempts, call);
    await this.reach(() => this.queues.get(queueName).add(ref.name, envelope, engineOptions));
    return new JobHandle<Result>(id, this, { state: call.delay > 0 ? 'scheduled' : 'pending', delay: call.delay });
  }

  job(id: string): JobHandle {
    return new JobHandle(id, this);
  }

  status(id: string): Promise<JobStatus | undefined> {
    return this.reach(() => this.reader.status(id));
  }

  untilEnded(id: string, timeout: number): Promise<JobStatus | 'timeout' | undefined> {
    return this.reader.untilEnded(id, timeout);
  }

  async cancel(id: string, reason: string | undefined): Promise<boolean> {
    const queueName = queueOfJobId(id);
    if (queueName === undefined || !this.options.queues.has(queueName)) throw new JobNotFoundError(id);
    const queue = this.queues.get(queueName);
    const found = await this.reach(() => this.backend.markCancelled(queue, id, cancelMark(reason)));
    if (found === 'missing') throw new JobNotFoundError(id);
    if (found === 'finished') return (await this.status(id))?.state === 'cancelled';
    return found === 'marked';
  }

  private seal(task: string, payload: unknown): JobEnvelope {
    if (payload === undefined) return {};
    const notJson = findNotJson(payload);
    if (notJson) throw new PayloadNotSerializableError(task, notJson);
    const size = Buffer.byteLength(JSON.stringify(payload));
    if (size > this.options.maxPayloadSize) throw new PayloadTooLargeError(task, size, this.options.maxPayloadSize);
    return { p: payload };
  }

  private engineOptions(id: string, attempts: number, { delay, priority }: ResolvedEnqueueOptions): EngineOptions {
    return {
      jobId: id,
      attempts,
      backoff: { type: DECIDED_BACKOFF },
      priority: toEnginePriority(priority),
      ...(delay > 0 && { delay }),
      removeOnComplete: { age: Math.ceil(this.options.keepFor / 1_000) },
      removeOnFail: { age: Math.ceil(this.options.keepFailedFor / 1_000) },
    };
  }

  /**
   * Producers do not wait for a backend that is away: they fail within `connectTimeout`, and nothing is sent before the
   * backend is there. Only what was sent and not answered in time may have been done all the same.
   */
  private async reach<T>(work: () => Promise<T>): Promise<T> {
    const { connectTimeout } = this.options;
    const unavailable = (cause?: unknown): Error =>
      new BackendUnavailableError(this.backend.location, connectTimeout, cause ?? this.backend.lastConnectionError());
    const reached = (async () => {
      await this.backend.whenReady(connectTimeout);
      return work();
    })();
    try {
      return await withTimeout(reached, connectTimeout, unavailable);
    } catch (error) {
      throw this.backend.isConnectionError(error) ? unavailable(error) : error;
    }
  }
}
