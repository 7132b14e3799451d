import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { JobsWorker } from '../backend/jobs-worker.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { Queues } from '../client/queues.js';
import type { StoredJob } from '../client/envelope.js';
import { describeError } from '../retry/attempt-record.js';
import { TaskExecutor } from '../execution/task.executor.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { BootReport } from './boot-report.js';
import { reportOutcome } from './job-processor.js';
import { WorkerPresence } from './worker-presence.js';

/** A worker with waiting jobs and a free slot that asks for no work this long (ms) does not consume. */
const DEAF_AFTER = 20_000;

/** Whether a queue of this process is worked, and if not, why. @publicApi */
export interface Consumption {
  queue: string;
  consuming: boolean;
  /** What is wrong, when it is not consuming. */
  problem?: string;
}

/**
 * Runs this process's workers: from the end of the boot until its module is destroyed. An app that provides its
 * database in the root module calls {@link JobsRunner.drain} itself before `app.close()`.
 *
 * @publicApi
 */
@Injectable()
export class JobsRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Jobs');
  private readonly workers = new Map<string, JobsWorker>();
  private readonly running = new Set<string>();
  private draining: Promise<void> | undefined;

  /** @internal */
  constructor(
    private readonly executor: TaskExecutor,
    private readonly queues: Queues,
    private readonly presence: WorkerPresence,
    private readonly report: BootReport,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  onApplicationBootstrap(): void {
    for (const queue of this.options.workedQueues) this.start(queue);
    this.report.log();
    this.presence.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.drain();
  }

  /**
   * Stops fetching jobs and waits for the running ones, at most `shutdown.grace`. Those that run on after it are run
   * again by another process. Calling it twice is harmless.
   */
  drain(): Promise<void> {
    this.draining ??= this.stop();
    return this.draining;
  }

  /** Whether each queue that this process should work is really being worked. */
  async consumption(): Promise<Consumption[]> {
    return Promise.all([...this.workers].map(([queue, worker]) => this.consumptionOf(queue, worker)));
  }

  private start(queue: string): void {
    const { concurrency } = this.options.queues.get(queue)!;
    const settings = { concurrency, lease: this.options.lease };
    const worker = this.backend.createWorker(
      queue,
      (job: StoredJob, token?: string) => this.process(job, token!),
      settings,
    );
    worker.on('error', (error) => {
      if (!this.backend.isConnectionError(error)) this.logger.error(`Worker of queue ${queue}: ${error.message}`);
    });
    worker.on('stalled', (jobId) => {
      this.logger.warn(`Job ${jobId} was left behind by a process that died or froze; it runs again.`);
    });
    this.workers.set(queue, worker);
    worker.run().catch((error: Error) => this.logger.error(`Worker of queue ${queue} stopped: ${error.message}`));
  }

  private async process(job: StoredJob, token: string): Promise<unknown> {
    this.running.add(job.id!);
    try {
      const outcome = await this.executor.execute(job);
      if (outcome.kind === 'failed') this.logFailure(job, outcome.error);
      return await reportOutcome(job, token, outcome);
    } finally {
      this.running.delete(job.id!);
    }
  }

  private logFailure(job: StoredJob, error: unknown): void {
    const { name, message } = describeError(error);
    this.logger.warn(`Job ${job.id} of task ${job.name} failed for good. ${name}: ${message}`);
  }

  private async consumptionOf(queue: string, worker: JobsWorker): Promise<Consumption> {
    if (this.draining) return { queue, consuming: false, problem: 'this process is shutting down' };
    if (!worker.isRunning()) return { queue, consuming: false, problem: 'its worker stopped' };
    const silentFor = Date.now() - worker.lastFetchAt;
    if (silentFor > DEAF_AFTER) {
      const {
        active = 0,
        waiting = 0,
        prioritized = 0,
      } = await this.queues.get(queue).getJobCounts('active', 'waiting', 'prioritized');
      if (waiting + prioritized > 0 && active < worker.concurrency) {
        return { queue, consuming: false, problem: `jobs wait, but its worker asked for none in ${silentFor} ms` };
      }
    }
    return { queue, consuming: true };
  }

  private async stop(): Promise<void> {
    await this.presence.stop();
    const workers = [...this.workers.values()];
    const closing = Promise.all(workers.map((worker) => worker.close()));
    const { shutdownGrace, connectTimeout } = this.options;
    const deadline = Date.now() + shutdownGrace;
    do {
      if (await settlesWithin(Math.min(connectTimeout, deadline - Date.now()), closing)) return;
      // Nothing runs any more, and yet a worker does not close: its connection is gone, and waiting helps nobody.
    } while (this.running.size > 0 && Date.now() < deadline);
    if (this.running.size > 0) {
      const left = [...this.running].join(', ');
      this.logger.warn(`Still running after ${shutdownGrace} ms, to be run again elsewhere: ${left}`);
    }
    await settlesWithin(connectTimeout, Promise.all(workers.map((worker) => worker.abandon())));
  }
}
