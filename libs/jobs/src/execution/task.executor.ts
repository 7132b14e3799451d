import { Inject, Injectable } from '@nestjs/common';
import { CanvasMembers } from '../canvas/canvas-members.js';
import { CanvasNodes } from '../canvas/canvas-nodes.js';
import { NODE_ATTEMPTS } from '../canvas/canvas-part.js';
import { CanvasPlacer } from '../canvas/canvas-placer.js';
import type { JobCancelledError } from '../client/client.errors.js';
import {
  attemptNumber,
  hasBegun,
  maxAttempts,
  saidOfAttempt,
  type ProgressRecord,
  type StoredJob,
} from '../client/envelope.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import { REFUSED_FOR, type Tell } from '../client/tell.js';
import { AttemptEvents } from '../events/attempt-events.js';
import { FailureOrigins } from '../failure/failure-origins.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { firstStart } from '../retry/attempt-record.js';
import { retryAfterOf } from '../retry/retry-after.js';
import { retryDelay } from '../retry/retry-policy.js';
import { ScheduleAlarms } from '../schedule/schedule-alarms.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { TaskRegistry } from '../task/task.registry.js';
import { discard } from '../results/result-body.js';
import { ResultKeeper } from '../results/result-keeper.js';
import type { AttemptOutcome, CancelledAttempt, FailedAttempt } from './attempt-outcome.js';
import { Park, Replaced, RetryLater, Skip, Snooze } from './control-exceptions.js';
import { Deadlines, type Watch } from './deadlines.js';
import { HardTimeLimitError, JobStalledError, SoftTimeLimitError } from './execution.errors.js';
import { mayBeRetried } from './final-errors.js';
import { forEachItem } from './for-each-item.js';
import { JobClaims } from './job-claims.js';
import { JobContext } from './job-context.js';
import { RunningJobs } from './running-jobs.js';
import { TaskContextCreator, type TaskHandler } from './task-context.creator.js';
import { waitedForCode, waitForCode } from './unknown-task.js';

/** Runs one attempt of a job, and is the only place that decides how the attempt ended. @internal */
@Injectable()
export class TaskExecutor {
  private readonly deadlines = new Deadlines();
  private readonly claims: JobClaims;
  private readonly handlers = new WeakMap<TaskDefinition, TaskHandler>();

  constructor(
    private readonly registry: TaskRegistry,
    private readonly contexts: TaskContextCreator,
    private readonly running: RunningJobs,
    private readonly client: JobsClient,
    private readonly origins: FailureOrigins,
    private readonly results: ResultKeeper,
    private readonly nodes: CanvasNodes,
    private readonly members: CanvasMembers,
    private readonly placer: CanvasPlacer,
    private readonly alarms: ScheduleAlarms,
    private readonly events: AttemptEvents,
    queues: Queues,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.claims = new JobClaims(queues, options.lease);
  }

  execute(job: StoredJob, tell: Tell): AttemptOutcome | Promise<AttemptOutcome> {
    const { x: expiresAt, c: part } = job.data;
    if (expiresAt !== undefined && expiresAt < Date.now() && (!hasBegun(job) || hasOnlyWaited(job))) {
      return { kind: 'cancelled', reason: 'expired' };
    }
    if (part?.d !== undefined && !hasBegun(job)) return { kind: 'snoozed', until: Date.now() + part.d };
    if (part?.n) return this.nodes.run(job, tell);
    if (job.data.a !== undefined) return this.alarms.run(job, tell);
    const task = this.registry.find(job.name);
    if (!task) return waitForCode(job, this.options.unknownTaskGrace);
    // What has replaced itself has run to its end; what comes after is the library's own.
    const more = part?.x ? NODE_ATTEMPTS : 0;
    if (attemptNumber(job) > maxAttempts(job) + more) {
      return { kind: 'failed', error: new JobStalledError(job.stalledCounter), ran: false };
    }
    // Before all else: whatever the method was called for, it has been.
    if (part?.x) return this.members.replaced(job, part.x, tell);
    if (job.data.f !== undefined) return this.handleFailure(task, job, tell);
    if (part?.j !== undefined) return this.runMember(task, job, tell);
    if (!waitedForCode(job)) return this.run(task, job, tell);
    return tell(() => this.rememberBegin(job), REFUSED_FOR).then(() => this.run(task, job, tell));
  }

  /** Of a canvas: its payload is made of the results of others. */
  private async runMember(task: TaskDefinition, job: StoredJob, tell: Tell): Promise<AttemptOutcome> {
    const made = await this.members.payloadOf(job, tell);
    if ('error' in made) return this.afterError(task, job, undefined, made.error);
    if (waitedForCode(job)) await tell(() => this.rememberBegin(job), REFUSED_FOR);
    return this.run(task, job, tell, made.payload);
  }

  private async handleFailure(task: TaskDefinition, job: StoredJob, tell: Tell): Promise<AttemptOutcome> {
    const origin = await this.origins.look(job, tell);
    if (origin.kind !== 'final') return origin;
    if (waitedForCode(job)) await tell(() => this.rememberBegin(job), REFUSED_FOR);
    return this.run(task, job, tell, origin.failure);
  }

  private run(
    task: TaskDefinition,
    job: StoredJob,
    tell: Tell,
    payload = job.data.p,
  ): AttemptOutcome | Promise<AttemptOutcome> {
    const context = new JobContext(job, this.client, this.claims, tell, this.placer);
    if (this.events.areHeard) context.events = this.events;
    this.running.add(context);
    // Others may have blocked this process, or it was frozen, since the job was fetched.
    const doubt = context.claimInDoubt();
    if (!doubt) return this.begin(task, job, context, payload);
    const begin = (): AttemptOutcome | Promise<AttemptOutcome> => {
      if (!context.hasLostClaim) return this.begin(task, job, context, payload);
      this.running.delete(context);
      return { kind: 'lost' };
    };
    return doubt.then(begin, begin);
  }

  /** No async method, and one promise that the hard limit can settle too: each further one is paid for by every job. */
  private begin(task: TaskDefinition, job: StoredJob, context: JobContext, payload: unknown): Promise<AttemptOutcome> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (decide: () => AttemptOutcome | Promise<AttemptOutcome>): void => {
        // The hard limit was faster; what becomes of the method is nobody's business any more.
        if (isOver) return this.running.stopped(context);
        isOver = true;
        this.deadlines.forget(watch);
        this.deadlines.forget(grace);
        const finish = (): void => {
          this.running.delete(context);
          context.end();
          try {
            resolve(context.hasLostClaim ? { kind: 'lost' } : decide());
          } catch (error) {
            reject(error as Error);
          }
        };
        const doubt = context.claimInDoubt();
        // When the store cannot say whose the job is, it refuses itself what a process says that lost it.
        if (doubt) doubt.then(finish, finish);
        else finish();
      };
      const cutOff = (error: Error): void => {
        end(() => ({ ...this.afterError(task, job, context.cancelled, error), leftRunning: true }));
        context.cutOff(error);
        this.running.left(context);
      };
      const watch = this.deadlines.watch(
        {
          passSoftLimit: (limit) => context.abort(new SoftTimeLimitError(context.id, limit)),
          passHardLimit: (limit) => cutOff(new HardTimeLimitError(context.id, limit)),
        },
        task.timeLimitIn(job.queueName),
      );
      let grace: Watch | undefined;
      // Not written in place: V8 takes a function that is assigned to a property for a long-lived one, with all it holds.
      const onCancel = (): void => {
        // The method has ended, and it is asked whose the job is.
        if (isOver) return;
        const passHardLimit = (): void => cutOff(context.cancelled!);
        grace = this.deadlines.watch(
          { passSoftLimit() {}, passHardLimit },
          { soft: undefined, hard: this.options.cancelGrace },
        );
      };
      context.onCancel = onCancel;
      // It may have been asked before it began.
      if (context.cancelled) onCancel();
      const onThrow = (error: unknown): void => end(() => this.afterThrow(task, job, context, error));
      const onKept = (result: unknown): void => end(() => this.afterReturn(task, job, context, result));
      const onReturn = (result: unknown): void => {
        // It is over, or is to come to something else.
        if (isOver || context.control || context.replacing) {
          discard(result);
          return onKept(null);
        }
        try {
          const kept = context.gate.isResultChecked ? result : this.results.keep(job, result, { attempt: context });
          if (kept instanceof Promise) kept.then(onKept, onThrow);
          else onKept(kept);
        } catch (error) {
          onThrow(error);
        }
      };
      try {
        JobContext.run(context, () => this.handlerOf(task, job)(payload, context)).then(onReturn, onThrow);
      } catch (error) {
        onThrow(error);
      }
    });
  }

  private afterReturn(
    task: TaskDefinition,
    job: StoredJob,
    context: JobContext,
    result: unknown,
  ): AttemptOutcome | Promise<AttemptOutcome> {
    if (context.control) return this.afterThrow(task, job, context, undefined);
    // The method has not waited for it.
    if (context.replacing) {
      return context.replacing.catch((error: unknown) => this.afterThrow(task, job, context, error));
    }
    const { deduplicatedBy } = context.gate;
    return { kind: 'succeeded', result, ...(deduplicatedBy !== undefined && { deduplicatedBy }) };
  }

  private afterThrow(
    task: TaskDefinition,
    job: StoredJob,
    context: JobContext,
    thrown: unknown,
  ): AttemptOutcome | Promise<AttemptOutcome> {
    const error = context.control ?? thrown;
    if (error instanceof Park) return this.afterPark(context, error);
    if (error instanceof Skip) return { kind: 'skipped', reason: error.reason };
    if (error instanceof Replaced && !context.cancelled) {
      return context.written().then(() => ({ kind: 'replaced', canvas: error.canvas }));
    }
    if (context.cancelled) return this.afterError(task, job, context.cancelled, error);
    if (!(error instanceof Snooze)) return this.afterError(task, job, context.cancelled, error);
    const until = Date.now() + error.delay;
    return context.written().then(() => ({ kind: 'snoozed', until, delay: error.delay }));
  }

  /** One that was cancelled meanwhile need not wait to be told, and has not run. */
  private async afterPark(context: JobContext, { parked, leave }: Park): Promise<AttemptOutcome> {
    await context.written();
    const { cancelled } = context;
    if (!cancelled) return parked;
    // What is left in a line goes by itself.
    await leave().catch(() => undefined);
    return { kind: 'cancelled', reason: cancelled.reason };
  }

  private afterError(
    task: TaskDefinition,
    job: StoredJob,
    cancelled: JobCancelledError | undefined,
    error: unknown,
  ): FailedAttempt | CancelledAttempt {
    if (cancelled) return { kind: 'cancelled', reason: cancelled.reason, error };
    const attempt = attemptNumber(job);
    const policy = task.retryIn(job.queueName);
    const failed = { kind: 'failed', error, ran: true } as const;
    if (!mayBeRetried(error, policy) || attempt >= maxAttempts(job)) return failed;
    const delay =
      error instanceof RetryLater ? error.delay : Math.max(retryDelay(policy, attempt), retryAfterOf(error) ?? 0);
    const { maxElapsed } = policy;
    if (maxElapsed !== undefined && Date.now() + delay > firstStart(job) + maxElapsed) return failed;
    return { kind: 'retrying', error, delay };
  }

  private async rememberBegin(job: StoredJob): Promise<void> {
    const { waits: _over, begun: _begun, ...said } = saidOfAttempt(job)!;
    await job.updateProgress(said satisfies ProgressRecord);
  }

  private handlerOf(task: TaskDefinition, { data }: StoredJob): TaskHandler {
    let handler = this.handlers.get(task);
    if (!handler) {
      handler = this.contexts.create(task);
      this.handlers.set(task, handler);
    }
    return data.c?.r ? forEachItem(task, handler, this.results) : handler;
  }
}

/** Of a part of a canvas with a delay: for what was before it, and then for its time. */
function hasOnlyWaited(job: StoredJob): boolean {
  return job.data.c?.d !== undefined && attemptNumber(job) === 1 && job.attemptsStarted === 2;
}
