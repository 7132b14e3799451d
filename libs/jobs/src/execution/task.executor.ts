import { Inject, Injectable } from '@nestjs/common';
import {
  attemptNumber,
  hasBegun,
  maxAttempts,
  saidOfAttempt,
  type ProgressRecord,
  type StoredJob,
} from '../client/envelope.js';
import { JobsClient } from '../client/jobs-client.js';
import { findNotJson } from '../client/json-check.js';
import { jsonSizeOver } from '../client/json-size.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { retryDelay } from '../retry/retry-policy.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { TaskRegistry } from '../task/task.registry.js';
import type { AttemptOutcome } from './attempt-outcome.js';
import { RetryLater, Skip, Snooze } from './control-exceptions.js';
import {
  JobStalledError,
  ResultNotSerializableError,
  ResultTooLargeError,
  UnknownTaskError,
} from './execution.errors.js';
import { isFinal } from './final-errors.js';
import { JobContext } from './job-context.js';
import { RunningJobs } from './running-jobs.js';
import { TaskContextCreator, type TaskHandler } from './task-context.creator.js';

/** How often a job of an unknown task is looked at again. */
const UNKNOWN_TASK_RECHECK = 5_000;

/** Tells the store something of a job, and waits for it while it is away. @internal */
export type Tell = (work: () => Promise<void>) => Promise<void>;

/** Runs one attempt of a job, and is the only place that decides how the attempt ended. @internal */
@Injectable()
export class TaskExecutor {
  private readonly handlers = new WeakMap<TaskDefinition, TaskHandler>();

  constructor(
    private readonly registry: TaskRegistry,
    private readonly contexts: TaskContextCreator,
    private readonly running: RunningJobs,
    private readonly client: JobsClient,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  async execute(job: StoredJob, tell: Tell): Promise<AttemptOutcome> {
    const { x: expiresAt } = job.data;
    if (expiresAt !== undefined && expiresAt < Date.now() && !hasBegun(job)) {
      return { kind: 'cancelled', reason: 'expired' };
    }
    const task = this.registry.find(job.name);
    if (!task) return this.waitForCode(job, tell);
    if (attemptNumber(job) > maxAttempts(job)) {
      return { kind: 'failed', error: new JobStalledError(job.stalledCounter), ran: false };
    }
    if (saidOfAttempt(job)?.unknownSince !== undefined) await tell(() => this.rememberBegin(job));
    const context = new JobContext(job, this.client);
    this.running.add(context);
    try {
      const result = await JobContext.run(context, () => this.handlerOf(task)(job.data.p, context));
      if (context.control) return await this.afterThrow(task, job, context, context.control);
      return { kind: 'succeeded', result: this.checked(task, job, result) };
    } catch (error) {
      return await this.afterThrow(task, job, context, context.control ?? error);
    } finally {
      context.end();
      this.running.delete(context);
    }
  }

  private checked(task: TaskDefinition, job: StoredJob, result: unknown): unknown {
    if (job.data.k === 0 || result === undefined) return null;
    const notJson = findNotJson(result);
    if (notJson) throw new ResultNotSerializableError(task.name, notJson);
    const { maxResultSize } = this.options;
    const size = jsonSizeOver(result, maxResultSize);
    if (size !== undefined) throw new ResultTooLargeError(task.name, size, maxResultSize);
    return result;
  }

  private async afterThrow(
    task: TaskDefinition,
    job: StoredJob,
    context: JobContext,
    error: unknown,
  ): Promise<AttemptOutcome> {
    if (error instanceof Skip) return { kind: 'skipped', reason: error.reason };
    if (error instanceof Snooze) {
      await context.written();
      return { kind: 'snoozed', until: Date.now() + error.delay };
    }
    if (isFinal(error)) return { kind: 'failed', error, ran: true };
    const asked = error instanceof RetryLater ? error.delay : undefined;
    const { attempt, maxAttempts } = context;
    if (attempt >= maxAttempts) return { kind: 'failed', error, ran: true };
    return { kind: 'retrying', error, delay: asked ?? retryDelay(task.retryIn(job.queueName), attempt) };
  }

  /** A rolling deploy may be about to bring the code. The grace runs from when the job was first found without it. */
  private async waitForCode(job: StoredJob, tell: Tell): Promise<AttemptOutcome> {
    const { unknownTaskGrace } = this.options;
    const now = Date.now();
    const said = saidOfAttempt(job);
    const since = said?.unknownSince ?? now;
    if (now - since >= unknownTaskGrace) {
      return { kind: 'failed', error: new UnknownTaskError(job.name, job.queueName), ran: false };
    }
    if (since === now) {
      const begun = hasBegun(job) ? { begun: true as const } : {};
      const record: ProgressRecord = { ...said, attempt: attemptNumber(job), unknownSince: since, ...begun };
      await tell(() => job.updateProgress(record));
    }
    return { kind: 'released', until: now + Math.min(UNKNOWN_TASK_RECHECK, unknownTaskGrace) };
  }

  private async rememberBegin(job: StoredJob): Promise<void> {
    const { unknownSince: _over, begun: _begun, ...said } = saidOfAttempt(job)!;
    await job.updateProgress(said satisfies ProgressRecord);
  }

  private handlerOf(task: TaskDefinition): TaskHandler {
    let handler = this.handlers.get(task);
    if (!handler) {
      handler = this.contexts.create(task);
      this.handlers.set(task, handler);
    }
    return handler;
  }
}
