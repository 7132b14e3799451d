import { JobCancelledError } from '../client/client.errors.js';
import type { StoredJob } from '../client/envelope.js';
import type { Tell } from '../client/tell.js';
import type { AttemptEvents } from '../events/attempt-events.js';
import { AttemptClaim } from './attempt-claim.js';
import { AttemptGate } from './attempt-gate.js';
import { isControlException, Park, Skip, type ControlException } from './control-exceptions.js';
import { AttemptEndedError, ClaimLostError } from './execution.errors.js';
import { keyOfJob } from './idempotency-key.js';
import type { JobClaims } from './job-claims.js';
import { JobFacts } from './job-facts.js';

/** What becomes of the attempt that a task is called in: whether it is over, is to stop, or is somebody else's by now. */
export abstract class RunningAttempt extends JobFacts {
  private aborting: AbortController | undefined;
  private reason: Error | undefined;
  private recorded: ControlException | undefined;
  private over = false;
  private isCutOff = false;
  private cancellation: JobCancelledError | undefined;
  private readonly claim: AttemptClaim;
  /** Called when the job is cancelled. @internal */
  onCancel: (() => void) | undefined;
  /** Called when the attempt is ended while its code runs on. @internal */
  onCutOff: ((reason: Error) => void) | undefined;
  /** Undefined while no listener of this process wants to hear of attempts. @internal */
  events: AttemptEvents | undefined;
  /** @internal */
  readonly gate: AttemptGate;

  /** @internal */
  constructor(stored: StoredJob, claims: Pick<JobClaims, 'lease' | 'holds'>, tell: Tell) {
    super(stored);
    this.gate = new AttemptGate(stored, tell, this);
    this.claim = new AttemptClaim(stored, claims);
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
    this.onCutOff?.(reason);
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
    this.events?.begins(this.stored);
    return this.gate.begin(this.says);
  }

  /** Resolves when what was said before is stored, or could not be. @internal */
  written(): Promise<void> {
    return this.says.written();
  }

  /** @internal */
  protected assertRunning(method: string): void {
    if (this.over) throw new AttemptEndedError(this.id, this.attempt, method);
  }
}
