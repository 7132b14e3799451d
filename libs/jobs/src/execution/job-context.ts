import { InvalidCanvasError } from '../canvas/canvas.errors.js';
import type { CanvasPlacer } from '../canvas/canvas-placer.js';
import { assertReplaces } from '../canvas/compile-canvas.js';
import type { Signature } from '../canvas/signature.js';
import type { TaskRef } from '../task/task-reference.js';
import { JobCancelledError } from '../client/client.errors.js';
import { currentJob, runAsJob, type CurrentJob } from '../client/current-job.js';
import type { ProgressRecord, StoredJob } from '../client/envelope.js';
import { invalidArgument, requireJson, requireText } from '../client/invalid-argument.error.js';
import type { JobHandle } from '../client/job-handle.js';
import type { EnqueueArguments, JobsClient } from '../client/jobs-client.js';
import type { Tell } from '../client/tell.js';
import { AttemptClaim } from './attempt-claim.js';
import { AttemptGate } from './attempt-gate.js';
import { isControlException, Park, Replaced, Skip, type ControlException } from './control-exceptions.js';
import { AttemptEndedError, ClaimLostError } from './execution.errors.js';
import { keyOfJob } from './idempotency-key.js';
import type { JobClaims } from './job-claims.js';
import { JobFacts } from './job-facts.js';

const LONGEST_STAGE = 200;

/**
 * What a task knows of the job it runs for, and what it can say about it: the second parameter of every task method.
 *
 * @publicApi
 */
export class JobContext extends JobFacts implements CurrentJob {
  private aborting: AbortController | undefined;
  private reason: Error | undefined;
  private recorded: ControlException | undefined;
  private over = false;
  private isCutOff = false;
  private cancellation: JobCancelledError | undefined;
  private readonly claim: AttemptClaim;
  /** Rejects with what the job is replaced with, or with why it is not. @internal */
  replacing: Promise<never> | undefined;
  /** Called when the job is cancelled. @internal */
  onCancel: (() => void) | undefined;
  /** @internal */
  readonly gate: AttemptGate;

  /** @internal */
  constructor(
    stored: StoredJob,
    private readonly client: Pick<JobsClient, 'enqueue'>,
    claims: Pick<JobClaims, 'lease' | 'holds'>,
    tell: Tell,
    private readonly placer: Pick<CanvasPlacer, 'placeAll'>,
  ) {
    super(stored);
    this.gate = new AttemptGate(stored, tell, this);
    this.claim = new AttemptClaim(stored, claims);
  }

  /** The context of the task that the calling code runs in, at any depth; undefined outside of tasks. */
  static current(): JobContext | undefined {
    const current = currentJob();
    return current instanceof JobContext ? current : undefined;
  }

  /** @internal */
  static run<T>(context: JobContext, work: () => T): T {
    return runAsJob(context, work);
  }

  /** The lock that `@Locked` holds for this run; undefined without one. */
  get lock(): { readonly fencingToken: number } | undefined {
    return this.gate.lock;
  }

  /**
   * The same in every run of this job, and of every job with the same key of `@Idempotent`: 64 characters for the
   * `Idempotency-Key` of a request to a service that takes one. A run that died after such a request is repeated with the
   * same key, and the service does it once.
   *
   * The idea is Stripe's.
   */
  get idempotencyKey(): string {
    return this.gate.makeIdempotencyKey?.() ?? keyOfJob(this.stored);
  }

  /**
   * Aborted when the work should stop, with a typed error as its `reason`: {@link SoftTimeLimitError} or
   * {@link HardTimeLimitError} when it takes too long, {@link JobsShutdownError} when the process shuts down and cannot
   * wait any longer, {@link JobCancelledError} when the job was cancelled, {@link ClaimLostError} when the process was
   * frozen or cut off and the job runs elsewhere, {@link LockLostError} when a lock of `@Locked` is lost, {@link IdempotencyClaimLostError} when the claim of
   * `@Idempotent` is. Hand it to whatever takes one, as `fetch` does, and call
   * `job.signal.throwIfAborted()` in long loops. Nothing else stops a task that runs.
   */
  get signal(): AbortSignal {
    if (!this.aborting) {
      this.aborting = new AbortController();
      if (this.reason) this.aborting.abort(this.reason);
    }
    return this.aborting.signal;
  }

  /**
   * Enqueues another job, as `JobsService.enqueue` does with what it takes and throws. Headers and `rootId` of this job
   * are inherited; so they are with `JobsService` anywhere below a task, which this saves from being injected.
   *
   * @throws {@link AttemptEndedError}
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { type JobContext, Task, task } from 'nestjs-jobs';
   *
   * @Injectable()
   * export class Imports {
   *   @Task()
   *   async load(payload: { file: string }, job: JobContext): Promise<void> {
   *     await job.enqueue(task(Imports, 'index'), { file: payload.file }, { delay: '1m' });
   *   }
   *
   *   @Task()
   *   async index(payload: { file: string }): Promise<void> {
   *     console.log(payload.file);
   *   }
   * }
   * ```
   */
  async enqueue<Payload, Result>(
    ref: TaskRef<Payload, Result>,
    ...args: EnqueueArguments<Payload>
  ): Promise<JobHandle<Result>> {
    const doubt = this.claimInDoubt();
    if (doubt) await doubt;
    this.assertRunning('enqueue');
    // The call may come from an event whose listeners run outside of the task.
    return runAsJob(this, () => this.client.enqueue(ref, ...args));
  }

  /**
   * Ends the run, and has another canvas take the job's place: the job waits for it, without a slot, and ends as it ends,
   * with its result. So the job keeps its place in its own canvas, its links and its errbacks, and the new jobs have its
   * headers and its tags. It spends no attempt, and what is thrown after it counts no more. Write `return
   * job.replaceWith(canvas)`.
   *
   * The idea is Celery's `self.replace`.
   *
   * @throws {@link InvalidCanvasError}, {@link CanvasTooLargeError} above 8 MB of JSON, {@link AttemptEndedError}, and what
   * `enqueue` throws; else it never returns.
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { chord, type JobContext, Task, task } from 'nestjs-jobs';
   *
   * @Injectable()
   * export class Totals {
   *   @Task()
   *   async ofMonth(payload: { days: string[] }, job: JobContext): Promise<number> {
   *     const days = payload.days.map((day) => task(Totals, 'ofDay').s(day));
   *     return job.replaceWith(chord(days, task(Totals, 'sum').s()));
   *   }
   *
   *   @Task()
   *   async ofDay(day: string): Promise<number> {
   *     return day.length;
   *   }
   *
   *   @Task()
   *   async sum(numbers: number[]): Promise<number> {
   *     return numbers.reduce((sum, n) => sum + n, 0);
   *   }
   * }
   * ```
   */
  replaceWith<Result>(canvas: Signature<undefined, Result>): Promise<never> {
    const replacing = this.replace(canvas);
    // A method that does not wait for it is waited for; a rejection that nobody handles would end the process.
    replacing.catch(() => {});
    this.replacing ??= replacing;
    return replacing;
  }

  private async replace(canvas: Signature<undefined, unknown>): Promise<never> {
    const doubt = this.claimInDoubt();
    if (doubt) await doubt;
    this.assertRunning('replaceWith');
    if (this.stored.data.c?.r) {
      throw new InvalidCanvasError(
        'the task of map(), starmap() or chunks()',
        'one that does not replace itself: all of its runs are those of one job. Give a group of its signatures',
      );
    }
    if (this.gate.makeIdempotencyKey) {
      throw new InvalidCanvasError(
        'a task with @Idempotent',
        'one that does not replace itself: the result of its canvas could not be kept. Start the canvas, or put ' +
          '@Idempotent on its parts',
      );
    }
    const placed = await runAsJob(this, () => this.placer.placeAll(canvas, { stamps: this.tags }));
    assertReplaces(placed.canvas);
    const replaced = new Replaced(placed.canvas);
    // Whatever the task makes of the exception.
    this.record(replaced);
    throw replaced;
  }

  /**
   * Names the stage that the work is in, for whoever polls the status; `meta` (JSON) is shown with it.
   *
   * The idea is Celery's `update_state`.
   *
   * @param name - at most 200 characters.
   * @throws {@link InvalidArgumentError}; {@link AttemptEndedError}.
   */
  stage(name: string, meta?: unknown): Promise<void> {
    return this.tell('stage', async () => {
      requireText('the name of a stage', name, LONGEST_STAGE);
      const stage = meta === undefined ? { name } : { name, meta: requireJson('the meta of stage()', meta) };
      await this.write({ stage });
    });
  }

  /**
   * Says how far the work is: a percentage from 0 to 100, or an object of your own (JSON).
   *
   * @throws {@link InvalidArgumentError}; {@link AttemptEndedError}.
   */
  progress(value: number | object): Promise<void> {
    return this.tell('progress', async () => {
      const isAllowed = typeof value === 'number' ? value >= 0 && value <= 100 : isObject(value);
      if (!isAllowed) throw invalidArgument('progress', 'a number from 0 to 100 or an object', value);
      await this.write({ progress: requireJson('progress', value) });
    });
  }

  /**
   * Adds a line to the job's log. It is not in the status: `jobs.queue(name).getJobLogs(id)` reads it.
   *
   * @throws {@link AttemptEndedError}
   */
  log(line: string): Promise<void> {
    return this.tell('log', async () => {
      await this.stored.log(String(line).replaceAll('\u0000', '\ufffd').toWellFormed());
    });
  }

  /** Whether the attempt has ended, so that nothing which still runs of it matters. @internal */
  get ended(): boolean {
    return this.over;
  }

  /** @internal */
  end(): void {
    this.over = true;
  }

  /** Ends the attempt while its code runs on: from now on nothing that the code does counts. @internal */
  cutOff(reason: Error): void {
    this.over = true;
    this.isCutOff = true;
    this.abort(reason);
  }

  /** @internal */
  claimRenewed(askedAt: number): void {
    this.claim.renewed(askedAt);
  }

  /** Whether the job was found to be somebody else's. @internal */
  get hasLostClaim(): boolean {
    return this.claim.isLost;
  }

  /**
   * Something to wait for only when the process was frozen or cut off for so long that another one may have got the job;
   * ends the attempt when it has.
   *
   * @internal
   */
  claimInDoubt(): Promise<void> | undefined {
    return this.over || !this.claim.isInDoubt ? undefined : this.verifyClaim();
  }

  /** @internal */
  async verifyClaim(): Promise<void> {
    await this.claim.verify();
    // One that the hard limit has ended meanwhile has lost it as well: what it says of its end would be refused.
    if (this.claim.isLost && !this.over) this.cutOff(new ClaimLostError(this.id));
  }

  /** Asks the code to stop; the first time counts. @internal */
  cancel(reason: string | undefined): void {
    if (this.over || this.cancellation) return;
    this.cancellation = new JobCancelledError(this.id, reason);
    this.abort(this.cancellation);
    this.onCancel?.();
  }

  /** Why the job is to end as cancelled, unless it ends well. @internal */
  get cancelled(): JobCancelledError | undefined {
    return this.cancellation;
  }

  /**
   * What is left of an attempt that returned may enqueue: it may be a connection or a timer that only began there.
   *
   * @throws {@link AttemptEndedError}
   * @internal
   */
  assertNotCutOff(method: string): void {
    if (this.isCutOff) throw new AttemptEndedError(this.id, this.attempt, method);
  }

  /** Aborts the signal; the first reason stays. @internal */
  abort(reason: Error): void {
    this.reason ??= reason;
    this.aborting?.abort(this.reason);
  }

  /** Keeps the first exception that says how the job goes on: nobody further out can take it back. @internal */
  record(thrown: unknown): void {
    if (!this.recorded && isControlException(thrown)) this.recorded = thrown;
  }

  /** @internal */
  get control(): ControlException | undefined {
    return this.recorded;
  }

  /** Of one run of several in a job: whether it was skipped, which says nothing of the others. @internal */
  forgetSkip(): boolean {
    if (!(this.recorded instanceof Skip)) return false;
    this.recorded = undefined;
    return true;
  }

  /** What is to be thrown in the place of beginning with the method; a job that was cancelled ends by a {@link Park}. @internal */
  async isOver(): Promise<Error | undefined> {
    const doubt = this.claimInDoubt();
    if (doubt) await doubt;
    if (this.over) return new AttemptEndedError(this.id, this.attempt, 'begin');
    return this.cancellation && new Park({ kind: 'parked', waits: { for: 'limit', since: Date.now() }, until: 0 });
  }

  /** Something to wait for before the method may begin. @internal */
  begin(): Promise<void> | undefined {
    return this.gate.begin(this.says);
  }

  /** Resolves when what was said before is stored, or could not be. @internal */
  written(): Promise<void> {
    return this.says.written();
  }

  private write(said: Partial<ProgressRecord>): Promise<void> {
    return this.says.write(said, () => this.assertNotCutOff('progress'));
  }

  private tell(method: string, work: () => Promise<void>): Promise<void> {
    const told = (async () => {
      const doubt = this.claimInDoubt();
      if (doubt) await doubt;
      this.assertRunning(method);
      await work();
    })();
    // Often nobody awaits it; a rejection that nobody handles would end the process, and all that it runs.
    told.catch(() => {});
    return told;
  }

  private assertRunning(method: string): void {
    if (this.over) throw new AttemptEndedError(this.id, this.attempt, method);
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
