import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DelayedError, WaitingError, type Job } from 'bullmq';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { JobsWorker } from '../backend/jobs-worker.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { CanvasCallbacks } from '../canvas/canvas-callbacks.js';
import { CanvasMembers } from '../canvas/canvas-members.js';
import { CanvasNodes } from '../canvas/canvas-nodes.js';
import { BackgroundWork } from '../client/background-work.js';
import { withEnvelope, type StoredJob } from '../client/envelope.js';
import { Queues } from '../client/queues.js';
import { isLossOfJob, type Tell } from '../client/tell.js';
import { AttemptEvents } from '../events/attempt-events.js';
import { FleetEvents } from '../events/fleet-events.js';
import { isUnrun, isUnwanted } from '../execution/attempt-outcome.js';
import { JobsShutdownError } from '../execution/execution.errors.js';
import { RunningJobs } from '../execution/running-jobs.js';
import { TaskExecutor } from '../execution/task.executor.js';
import { FailureIntents } from '../failure/failure-intents.js';
import { FleetAnswers } from '../fleet/fleet-answers.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { Parking } from '../parking/parking.js';
import { describeError } from '../retry/attempt-record.js';
import { BootReport } from './boot-report.js';
import { CancelWatch } from './cancel-watch.js';
import type { Consumption } from './consumption.js';
import { EventLoopLag } from './event-loop-lag.js';
import { GlobalConcurrency } from './global-concurrency.js';
import { HeldJobs, type HeldJob } from './held-jobs.js';
import { explainDeferred, reportOutcome, type Reporting } from './job-processor.js';
import { ShutdownHooksCheck } from './shutdown-hooks-check.js';
import { ShutdownReport } from './shutdown-report.js';
import { watchClaims } from './watch-claims.js';
import { Watchdog } from './watchdog.js';
import { WorkerControl } from './worker-control.js';
import { WorkerPresence } from './worker-presence.js';

/** How often (ms) a store that is away is told again what it has to know of a job. */
const TELL_AGAIN = 500;
/** How long (ms) tasks that were told to stop have to do so. */
const TIME_TO_REACT = 1_000;

/**
 * Runs this process's workers: from the end of the boot until its module is destroyed. An app that provides its
 * database in the root module calls {@link JobsRunner.drain} itself before `app.close()`.
 *
 * @example
 * ```ts
 * import type { INestApplicationContext } from '@nestjs/common';
 * import { JobsRunner } from 'nestjs-jobs';
 *
 * export function closeOnSigterm(app: INestApplicationContext): void {
 *   process.once('SIGTERM', async () => {
 *     await app.get(JobsRunner).drain();
 *     await app.close();
 *   });
 * }
 * ```
 *
 * @publicApi
 */
@Injectable()
export class JobsRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Jobs');
  private readonly workers = new Map<string, JobsWorker>();
  private readonly held: HeldJobs;
  private readonly reporting: Reporting;
  private readonly hooks = new ShutdownHooksCheck();
  private readonly shutdown: ShutdownReport;
  private draining: Promise<void> | undefined;
  private leaving: Promise<unknown> | undefined;
  /** Nest destroys the module: nobody needs to know of this process any more once it has drained. */
  private isDestroyed = false;
  /** The grace is over: nothing is begun any more. */
  private isInterrupting = false;

  /** @internal */
  constructor(
    private readonly executor: TaskExecutor,
    private readonly running: RunningJobs,
    intents: FailureIntents,
    callbacks: CanvasCallbacks,
    nodes: CanvasNodes,
    members: CanvasMembers,
    private readonly parking: Parking,
    private readonly background: BackgroundWork,
    private readonly queues: Queues,
    private readonly presence: WorkerPresence,
    private readonly control: WorkerControl,
    private readonly globalConcurrency: GlobalConcurrency,
    private readonly answers: FleetAnswers,
    private readonly cancels: CancelWatch,
    private readonly watchdog: Watchdog,
    private readonly lag: EventLoopLag,
    private readonly report: BootReport,
    private readonly events: AttemptEvents,
    private readonly fleetEvents: FleetEvents,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.held = new HeldJobs(queues, backend);
    this.shutdown = new ShutdownReport(options.shutdownGrace);
    this.reporting = { intents, parking, callbacks, nodes, members };
  }

  /** BullMQ's workers hold connections, and these hold passwords. */
  [inspect.custom](): string {
    return `JobsRunner(${[...this.workers.keys()].join(', ')})`;
  }

  onApplicationBootstrap(): void {
    // Closed while it still booted: what began now would never be stopped.
    if (this.draining) return;
    for (const queue of this.options.workedQueues) this.start(queue);
    this.report.log();
    this.fleetEvents.start();
    this.control.start(this.workers, (queue) => this.held.countIn(queue));
    this.lag.start();
    this.presence.start();
    this.answers.start(() => this.drain());
    if (this.workers.size === 0) return;
    this.cancels.start();
    this.watchdog.start(this.workers.values(), (queue) => this.held.countIn(queue));
    this.hooks.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.isDestroyed = true;
    await this.drain();
    await this.leave();
  }

  /** Whether {@link JobsRunner.drain} was called, by Nest's shutdown or otherwise. It never ends. */
  get isDraining(): boolean {
    return this.draining !== undefined;
  }

  /**
   * Stops fetching jobs, and waits for the running ones and for `jobs.background` work, at most `shutdown.grace`. Then
   * `job.signal` of what still runs is aborted with {@link JobsShutdownError}; what has not ended a second later is given
   * back: another process runs it again at once, and no attempt is spent. Calling it twice is harmless; it never rejects.
   */
  drain(): Promise<void> {
    this.draining ??= this.stop();
    return this.draining;
  }

  /** Whether each queue that this process should work is really being worked. */
  async consumption(): Promise<Consumption[]> {
    if (this.draining) {
      const problem = 'this process is shutting down';
      return [...this.workers.keys()].map((queue) => ({ queue, consuming: false, problem }));
    }
    return this.watchdog.consumption();
  }

  private start(queue: string): void {
    const { concurrency } = this.options.queues.get(queue)!;
    const settings = { concurrency, lease: this.options.lease };
    const worker = this.backend.createWorker(
      queue,
      (job: Job, token?: string) => this.process({ job: withEnvelope(job), token: token! }),
      settings,
    );
    worker.explain = (failure, job) => explainDeferred(failure, withEnvelope(job), this.queues, this.reporting);
    worker.keepClaimsWhile((jobId) => this.held.has(jobId));
    worker.on('error', (error) => {
      // That the claim on a job which was just given back cannot be renewed is no news.
      if (this.isInterrupting || this.backend.isConnectionError(error)) return;
      this.logger.error(`Worker of queue ${queue}: ${error.message}`);
    });
    watchClaims(worker, this.running, this.cancels);
    this.events.watch(worker);
    this.workers.set(queue, worker);
    void this.run(worker);
  }

  private async run(worker: JobsWorker): Promise<void> {
    await this.globalConcurrency.declare(worker.name);
    // It was paused and resumed meanwhile.
    if (!worker.isRunning()) await worker.run();
  }

  private async process(held: HeldJob): Promise<unknown> {
    this.held.add(held);
    try {
      // Its fetch was under way when the fetching was stopped.
      if (this.isInterrupting) return await this.letGo(held);
      const tell: Tell = (work, insistFor) => this.whileAway(held, work, insistFor);
      const outcome = await this.executor.execute(held.job, tell);
      if (this.isInterrupting) {
        if (isUnwanted(outcome)) return await this.letGo(held);
        // Another process may run it by now; BullMQ would refuse whatever we say of it.
        if (await this.held.wasGivenBack(held)) throw new WaitingError();
      }
      if (outcome.kind === 'failed') this.logFailure(held.job, outcome.error);
      if (isUnrun(outcome)) await this.parking.leave(held.job);
      const reported = reportOutcome(held, outcome, tell, this.reporting);
      if (outcome.kind === 'snoozed') return await this.events.snoozing(held.job, outcome, reported);
      if (outcome.kind === 'parked') return await this.events.parking(held.job, outcome, reported);
      return reported instanceof Promise ? await reported : reported;
    } catch (error) {
      if (error instanceof DelayedError) this.cancels.lookAtDelayed(held.job.queueName, held.job.id!, held.job.delay);
      throw error;
    } finally {
      this.held.delete(held);
    }
  }

  /** Tries again while the store is away: BullMQ would take what is thrown for the failure of an attempt. */
  private async whileAway(held: HeldJob, work: () => Promise<void>, insistFor = 0): Promise<void> {
    let wasReported = false;
    for (const end = Date.now() + insistFor; ;) {
      try {
        return await work();
      } catch (error) {
        if (!this.backend.isConnectionError(error) && !(error instanceof BackendUnavailableError)) {
          if (Date.now() >= end || isLossOfJob(error)) throw error;
          if (!wasReported) this.logRefusal(held.job, error as Error);
          wasReported = true;
        }
        if (this.isInterrupting) return this.letGo(held);
        await pause(TELL_AGAIN, undefined, { ref: false });
      }
    }
  }

  /** How BullMQ is told that the job is not in this worker's hands any more. */
  private async letGo(held: HeldJob): Promise<never> {
    await this.held.giveBack(held);
    throw new WaitingError();
  }

  private logRefusal({ id }: StoredJob, { message }: Error): void {
    this.logger.error(`The store refuses what it has to be told of job ${id}, and is told again: ${message}`);
  }

  private logFailure(job: StoredJob, error: unknown): void {
    const { name, message } = describeError(error);
    this.logger.warn(`Job ${job.id} of task ${job.name} failed for good. ${name}: ${message}`);
  }

  private async stop(): Promise<void> {
    this.hooks.stop();
    this.watchdog.stop();
    const workers = [...this.workers.values()];
    const closing = workers.map((worker) => worker.close());
    this.globalConcurrency.stop();
    this.presence.drain();
    // A task may start background work as the last thing that it does.
    const ending = Promise.allSettled(closing).then(() => this.background.finish());
    if (!(await this.endsInTime(ending))) {
      this.isInterrupting = true;
      if (this.isBusy) await this.interrupt(ending);
      await settlesWithin(this.options.connectTimeout, Promise.all(workers.map((worker) => worker.abandon())));
    }
    this.background.refuse();
    this.shutdown.leftRunning(this.running.leftIds);
    const cancels = settlesWithin(this.options.connectTimeout, this.cancels.stop());
    await Promise.all([cancels, this.isDestroyed && this.leave()]);
    await this.fleetEvents.stop();
  }

  /** From now on the fleet does not know this process. */
  private leave(): Promise<unknown> {
    this.answers.stop();
    this.lag.stop();
    this.leaving ??= this.presence.stop();
    return this.leaving;
  }

  private get isBusy(): boolean {
    return this.held.size > 0 || this.background.size > 0;
  }

  private async endsInTime(ending: Promise<unknown>): Promise<boolean> {
    const { shutdownGrace, connectTimeout } = this.options;
    const deadline = Date.now() + shutdownGrace;
    do {
      if (await settlesWithin(Math.min(connectTimeout, deadline - Date.now()), ending)) return true;
      // Nothing runs any more, and yet a worker does not close: its connection is gone, and waiting helps nobody.
    } while (this.isBusy && Date.now() < deadline);
    return false;
  }

  private async interrupt(ending: Promise<unknown>): Promise<void> {
    for (const id of this.held.ids) this.running.get(id)?.abort(new JobsShutdownError(id));
    this.background.abort();
    await settlesWithin(TIME_TO_REACT, ending);
    const unfinished = this.held.ids;
    for (const id of unfinished) this.running.get(id)?.cutOff(new JobsShutdownError(id));
    await settlesWithin(this.options.connectTimeout, this.held.giveBackAll());
    this.shutdown.interrupted(unfinished, this.held, this.background.size);
  }
}
