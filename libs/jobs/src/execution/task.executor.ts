import { HttpException, Inject, Injectable } from '@nestjs/common';
import { attemptNumber, progressOf, type ProgressRecord, type StoredJob } from '../client/envelope.js';
import { findNotJson } from '../client/json-check.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { retryDelay } from '../retry/retry-policy.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { TaskRegistry } from '../task/task.registry.js';
import type { AttemptOutcome } from './attempt-outcome.js';
import {
  JobStalledError,
  NonRetryableError,
  ResultNotSerializableError,
  UnknownTaskError,
} from './execution.errors.js';
import { JobContext } from './job-context.js';
import { TaskContextCreator, type TaskHandler } from './task-context.creator.js';

/** How often a job of an unknown task is looked at again. */
const UNKNOWN_TASK_RECHECK = 5_000;

/** Runs one attempt of a job, and is the only place that decides how the attempt ended. @internal */
@Injectable()
export class TaskExecutor {
  private readonly handlers = new WeakMap<TaskDefinition, TaskHandler>();

  constructor(
    private readonly registry: TaskRegistry,
    private readonly contexts: TaskContextCreator,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  async execute(job: StoredJob): Promise<AttemptOutcome> {
    const task = this.registry.find(job.name);
    if (!task) return this.waitForCode(job);
    if (attemptNumber(job) > (job.opts.attempts ?? 1)) {
      return { kind: 'failed', error: new JobStalledError(job.stalledCounter), ran: false };
    }
    try {
      return { kind: 'succeeded', result: await this.run(task, job) };
    } catch (error) {
      return this.afterFailure(task, job, error);
    }
  }

  private async run(task: TaskDefinition, job: StoredJob): Promise<unknown> {
    const context = new JobContext(job);
    const result = await JobContext.run(context, () => this.handlerOf(task)(job.data.p, context));
    const notJson = findNotJson(result);
    if (notJson) throw new ResultNotSerializableError(task.name, notJson);
    return result;
  }

  private afterFailure(task: TaskDefinition, job: StoredJob, error: unknown): AttemptOutcome {
    const attempt = attemptNumber(job);
    if (isFinal(error) || attempt >= (job.opts.attempts ?? 1)) return { kind: 'failed', error, ran: true };
    return { kind: 'retrying', error, delay: retryDelay(task.retry, attempt) };
  }

  /** A rolling deploy may be about to bring the code. The grace runs from when the job was first found without it. */
  private async waitForCode(job: StoredJob): Promise<AttemptOutcome> {
    const { unknownTaskGrace } = this.options;
    const now = Date.now();
    const since = progressOf(job)?.unknownSince ?? now;
    if (now - since >= unknownTaskGrace) {
      return { kind: 'failed', error: new UnknownTaskError(job.name, job.queueName), ran: false };
    }
    if (since === now)
      await job.updateProgress({ attempt: attemptNumber(job), unknownSince: since } satisfies ProgressRecord);
    return { kind: 'released', until: now + Math.min(UNKNOWN_TASK_RECHECK, unknownTaskGrace) };
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

/** The 4xx statuses that say "not now" rather than "not so". */
const TRANSIENT_CLIENT_ERRORS = [408, 425, 429];

/** Errors that no further attempt can mend: the task's own word for it, and what pipes and guards refuse. */
function isFinal(error: unknown): boolean {
  if (error instanceof NonRetryableError) return true;
  if (!(error instanceof HttpException)) return false;
  const status = error.getStatus();
  return status >= 400 && status < 500 && !TRANSIENT_CLIENT_ERRORS.includes(status);
}
