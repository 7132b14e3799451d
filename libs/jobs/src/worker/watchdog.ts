import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { JobsWorker } from '../backend/jobs-worker.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { withTimeout } from '../backend/with-timeout.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { owesJobs, type Consumption } from './consumption.js';
import { LOOKS_WITHOUT_FETCH, WorkerWatch, type Owed } from './worker-watch.js';

/**
 * How long (ms) a worker may fetch nothing although jobs wait. More than an idle one takes from fetch to fetch, which is
 * ten seconds and BullMQ's second of tolerance, and not more than half of a lease, after which its claims come into danger.
 */
const LONGEST_SILENCE = 15_000;
const SHORTEST_SILENCE = 1_000;

/**
 * Rebuilds the connections of workers that are deaf: they run and wait for an answer that never comes, because a
 * connection broke without a word.
 *
 * @internal
 */
@Injectable()
export class Watchdog {
  private readonly logger = new Logger('Jobs');
  private readonly interval: number;
  private watches: WorkerWatch[] = [];
  /** Those of which the log says that they are deaf. */
  private readonly reported = new Set<WorkerWatch>();
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;
  private rebuilds = 0;

  constructor(
    private readonly queues: Queues,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    const silence = Math.min(Math.max(options.lease / 2, SHORTEST_SILENCE), LONGEST_SILENCE);
    this.interval = silence / LOOKS_WITHOUT_FETCH;
  }

  /** How often connections of this process were rebuilt because a worker was deaf. */
  get restarts(): number {
    return this.rebuilds;
  }

  /** @param running - how many jobs of a queue this process runs. */
  start(workers: Iterable<JobsWorker>, running: (queue: string) => number): void {
    this.watches = Array.from(workers, (worker) => {
      const { name } = worker;
      return new WorkerWatch(worker, {
        isBusy: () => running(name) >= worker.concurrency,
        owed: () => this.owedTo(name),
      });
    });
    this.timer = setInterval(() => void this.look(), this.interval).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  consumption(): Consumption[] {
    return this.watches.map(({ worker, problem }) => {
      const { name: queue } = worker;
      if (worker.isPaused()) return { queue, consuming: true, paused: true };
      if (!worker.isRunning()) return { queue, consuming: false, stopped: true, problem: 'its worker stopped' };
      return problem === undefined ? { queue, consuming: true } : { queue, consuming: false, problem };
    });
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      const looks = await Promise.all(this.watches.map(async (watch) => ({ watch, isDeaf: await watch.look() })));
      const deaf = looks.filter(({ isDeaf }) => isDeaf).map(({ watch }) => watch);
      if (deaf.length > 0 && this.timer) await this.rebuild(deaf);
      this.reportRecovered();
    } catch (error) {
      this.logger.error(`The watchdog could not do its work: ${(error as Error).message}`);
    } finally {
      this.isLooking = false;
    }
  }

  private async owedTo(name: string): Promise<Owed> {
    const { connectTimeout } = this.options;
    try {
      const late = (): Error => new LateAnswer();
      return (await withTimeout(owesJobs(this.queues.get(name)), connectTimeout, late)) ? 'jobs' : 'nothing';
    } catch (error) {
      // A refusal is an answer.
      return error instanceof LateAnswer || this.backend.isConnectionError(error) ? 'no answer' : 'nothing';
    }
  }

  private async rebuild(deaf: readonly WorkerWatch[]): Promise<void> {
    const found = deaf.map((watch) => ({ watch, problem: watch.problem }));
    const rebuilt = await this.backend.reconnect(this.options.connectTimeout);
    if (rebuilt > 0) this.rebuilds++;
    for (const watch of this.watches) watch.beginAnew();
    // Connecting to a store that is known to be away is under way, and was reported.
    if (rebuilt === 0 && this.backend.lastConnectionError()) return;
    const news = found.filter(({ watch }) => !this.reported.has(watch));
    if (news.length === 0) return;
    for (const { watch } of news) this.reported.add(watch);
    const problems = news.map(({ watch, problem }) => `queue "${watch.worker.name}": ${problem}`).join('; ');
    this.logger.warn(
      `Watchdog, ${problems}. ` +
        (rebuilt > 0
          ? `Connections to ${this.backend.location} that were closed to be made anew: ${rebuilt}.`
          : `No connection to ${this.backend.location} was found that could be rebuilt.`),
    );
  }

  private reportRecovered(): void {
    for (const watch of this.reported) {
      if (watch.problem !== undefined) continue;
      this.reported.delete(watch);
      this.logger.log(`Watchdog, queue "${watch.worker.name}": its worker is answered again.`);
    }
  }
}

class LateAnswer extends Error {}
