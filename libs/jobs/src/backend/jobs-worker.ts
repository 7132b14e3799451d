import { setTimeout as sleep } from 'node:timers/promises';
import { isNotConnectionError, Job, UnrecoverableError, Worker, type JobJson, type Span } from 'bullmq';
import { forgetSettledPromises } from './pending-promises.js';
import { UnansweredEnds } from './unanswered-ends.js';

/** BullMQ asks again at once after a refusal; while the refusal lasts, that is a loop without end. */
const PAUSE_AFTER_REFUSAL = 1_000;
/** How often (ms) it is looked whether what was fetched last is here. */
const LOOK_AT_FETCHES_EVERY = 10;

type ReportRest = [token: string, fetchNext?: () => boolean, span?: Span];

/** Of a job whose attempt's end was told already, maybe in vain: the stacks that it had before. */
const STACKS_BEFORE = Symbol('stacks before');
type ToldJob = Job & { [STACKS_BEFORE]?: readonly string[] };

/** A BullMQ worker that knows when it was last answered: a worker can be "running" and deaf. @internal */
export class JobsWorker extends Worker {
  /** When (ms since the epoch) it was last told which job is the next, or that there is none; 0 before the first time. */
  lastFetchAt = 0;

  /** When (ms since the epoch) the claims were asked for that are renewed now; undefined when none are. */
  unansweredRenewal: number | undefined;

  /** When (ms since the epoch) the claims were last asked for that are renewed now; earlier than when the answer came. */
  renewalAskedAt = 0;

  /** Called when a worker that was paused meanwhile has been woken: another one should have the job. */
  passOn: () => Promise<void> = () => Promise.resolve();

  /** Whether all of its connections were answered since it began. */
  isReady = false;

  /** The ends of attempts that the store was told of, until it answers. */
  readonly ends = new UnansweredEnds();

  private readiness: Promise<void> | undefined;
  private fetches = 0;

  /** Never rejects: BullMQ itself runs a worker again that was paused, and does not look what becomes of it. */
  override async run(): Promise<void> {
    this.waitUntilReady().catch(() => undefined);
    forgetSettledPromises(this);
    try {
      await super.run();
    } catch (error) {
      this.emit('error', new Error(`it stopped: ${(error as Error).message}`, { cause: error }));
    }
  }

  /** After this it fetches nothing until {@link JobsWorker.resume}; what was being fetched meanwhile has begun. */
  async halt(): Promise<void> {
    await this.pause(true);
    await this.endsFetching();
  }

  /** Of one that is paused or closing; one that is resumed meanwhile may fetch without end. */
  async endsFetching(): Promise<void> {
    while ((this.isPaused() || this.closing) && (this.fetches > 0 || this.ends.areUnanswered)) {
      await sleep(LOOK_AT_FETCHES_EVERY, undefined, { ref: false });
    }
  }

  /** BullMQ would notice when a job ends, which may take hours. */
  changeConcurrency(concurrency: number): void {
    this.concurrency = concurrency;
    const { mainLoopQueue } = this as unknown as { mainLoopQueue?: { add(fetched: Promise<void>): void } | null };
    mainLoopQueue?.add(Promise.resolve());
  }

  /** BullMQ waits for it with every job that ends, and once is enough. */
  override waitUntilReady(): Promise<void> {
    this.readiness ??= super.waitUntilReady().then(
      () => void (this.isReady = true),
      (error: Error) => {
        this.readiness = undefined;
        throw error;
      },
    );
    return this.readiness;
  }

  /** Without telemetry BullMQ makes three promises around each step of each job here, for nothing. */
  override trace<T>(...step: Parameters<typeof Worker.prototype.trace<T>>): Promise<T | Promise<T>> {
    if (this.opts.telemetry) return super.trace(...step);
    try {
      const done = step[3]();
      return done instanceof Promise ? done : Promise.resolve(done);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  override async extendJobLocks(...renewal: [jobIds: string[], tokens: string[], duration: number]): Promise<string[]> {
    const askedAt = Date.now();
    this.unansweredRenewal = askedAt;
    try {
      const refused = await super.extendJobLocks(...renewal).catch((error: Error) => {
        if (isNotConnectionError(error) || this.closing) throw error;
        // Its connection was lost. BullMQ would ask again a quarter of a lease later, when the claims may have ended.
        return super.extendJobLocks(...renewal);
      });
      this.renewalAskedAt = askedAt;
      return refused;
    } finally {
      if (this.unansweredRenewal === askedAt) this.unansweredRenewal = undefined;
    }
  }

  /** BullMQ fetches nothing while it believes that a rate limit holds. */
  get isWaitingForLimit(): boolean {
    return (this as unknown as { limitUntil: number }).limitUntil > Date.now();
  }

  /** Called when the store is told of the end of an attempt, with what settles when it has answered. */
  onEnding: ((job: Job, told: Promise<unknown>) => void) | undefined;

  /** What a job is failed with that was not run, because of a failure that was set before; by default that. */
  explain: (failure: Error, job: Job) => Promise<Error> = (failure) => Promise.resolve(failure);

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    // BullMQ asks once more when what woke it was the closing itself, or a job that came at the same moment.
    if (this.closing) return undefined as unknown as Job;
    // It waited for a job when it was paused.
    if (this.isPaused()) return this.passOn() as Promise<unknown> as Promise<Job>;
    this.fetches++;
    try {
      return await super.moveToActive(token, name);
    } catch (error) {
      if (isNotConnectionError(error as Error) && !this.closing) await sleep(PAUSE_AFTER_REFUSAL);
      throw error;
    } finally {
      this.fetches--;
    }
  }

  /** Called with the answer to every fetch, also to one that BullMQ made in the step in which it ended the job before. */
  protected override nextJobFromJobData(...fetched: [JobJson?, string?, string?]): Promise<Job> {
    this.lastFetchAt = Date.now();
    return super.nextJobFromJobData(...fetched);
  }

  protected override handleCompleted(result: unknown, job: Job, ...rest: ReportRest): Promise<Job> {
    return this.toldOnce(job, () => super.handleCompleted(result, job, ...rest));
  }

  protected override handleFailed(error: Error, job: Job, ...rest: ReportRest): Promise<Job> {
    const { deferredFailure } = job;
    if (deferredFailure === undefined) return this.toldOnce(job, () => super.handleFailed(error, job, ...rest));
    // Not the error: it may be how the store refused to hear of that failure a moment ago.
    return this.explain(new UnrecoverableError(deferredFailure), job).then((report) =>
      this.toldOnce(job, () => super.handleFailed(report, job, ...rest)),
    );
  }

  /**
   * BullMQ tells the end of an attempt again when it was stored and only the answer is lost, or the answer of the fetch
   * that comes after it. Where that fetch has begun the next attempt of the same job, under the same token, the store
   * would take it for the end of that one.
   */
  private toldOnce(job: ToldJob, tell: () => Promise<Job>): Promise<Job> {
    const stacks = job[STACKS_BEFORE];
    job[STACKS_BEFORE] ??= job.stacktrace ? [...job.stacktrace] : [];
    const told = stacks ? this.toldAgain(job, stacks, tell) : tell();
    this.ends.add(told);
    this.onEnding?.(job, told);
    return told;
  }

  private async toldAgain(job: Job, stacks: readonly string[], tell: () => Promise<Job>): Promise<Job> {
    if (await this.hasEnded(job)) return undefined as unknown as Job;
    // Each time that it tells, BullMQ adds the attempt's.
    job.stacktrace = [...stacks];
    return tell();
  }

  private async hasEnded({ id, attemptsStarted, attemptsMade }: Job): Promise<boolean> {
    const stored = await Job.fromId(this, id!);
    return stored?.attemptsStarted !== attemptsStarted || stored.attemptsMade !== attemptsMade;
  }

  /**
   * BullMQ stops renewing the claim on a job, by its id, when a run of it is over. By then another slot may have fetched
   * the same job again, whose claim would end during its run.
   *
   * @param isRunning - whether a run of the job is under way.
   */
  keepClaimsWhile(isRunning: (jobId: string) => boolean): void {
    const untrack = this.lockManager.untrackJob.bind(this.lockManager);
    this.lockManager.untrackJob = (jobId) => {
      if (!isRunning(jobId)) untrack(jobId);
    };
  }

  /**
   * Lets go of jobs that outlast the shutdown: their claims are renewed no more, so they run again elsewhere, and no
   * timer of this worker keeps the process alive.
   */
  async abandon(): Promise<void> {
    this.removeAllListeners('error').on('error', () => {});
    await Promise.allSettled([this.pause(true), this.lockManager.close()]);
  }
}
