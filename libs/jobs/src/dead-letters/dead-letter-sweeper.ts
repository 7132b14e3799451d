import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';

const COLLECTION = 'sweeps';
/** Milliseconds. Nothing depends on it but how long the store is full of what nobody can read any more. */
const LONGEST_INTERVAL = 60_000;
const SHORTEST_INTERVAL = 1_000;
/** Jobs that one call removes: Redis serves nobody else meanwhile. */
const SWEEP_BATCH = 1_000;
/** Of the interval: less than all of it, or the claim of one sweep would still stand at the next. */
const CLAIM = 0.9;

/**
 * Removes failed and cancelled jobs when `results.keepFailedFor` is over. BullMQ does so only when another job of the
 * same queue fails: in a queue that has no failures any more, the last ones would stay for ever.
 *
 * Any process with workers does it, one of the fleet in each interval; two at a time do no harm.
 *
 * @internal
 */
@Injectable()
export class DeadLetterSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Jobs');
  private readonly interval: number;
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> = Promise.resolve();
  private isStopped = false;

  constructor(
    private readonly queues: Queues,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.interval = Math.min(LONGEST_INTERVAL, Math.max(SHORTEST_INTERVAL, options.keepFailedFor / 10));
  }

  onApplicationBootstrap(): void {
    if (this.options.workedQueues.size === 0) return;
    let isBusy = false;
    const sweep = (): void => {
      if (isBusy) return;
      isBusy = true;
      this.sweeping = this.sweepInTurn()
        // An unreachable backend is reported by the health check; the next sweep makes up for this one.
        .catch((error: Error) => this.logger.debug(`Nothing swept: ${error.message}`))
        .finally(() => (isBusy = false));
    };
    this.timer = setInterval(sweep, this.interval).unref();
    sweep();
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await settlesWithin(this.options.connectTimeout, this.sweeping);
  }

  private async sweepInTurn(): Promise<void> {
    await this.backend.whenReady(this.interval);
    const age = Math.ceil(this.options.keepFailedFor / 1_000) * 1_000;
    // While a deploy changes the option, the sweep of a process that keeps for longer is not this one.
    const key = `dead-letters-${age}`;
    if (await this.backend.ledger.putIfAbsent(COLLECTION, key, process.pid, this.interval * CLAIM)) return;
    for (const name of this.options.queues.keys()) {
      for (let removed = SWEEP_BATCH; removed === SWEEP_BATCH && !this.isStopped;) {
        removed = (await this.queues.get(name).clean(age, SWEEP_BATCH, 'failed')).length;
      }
    }
  }
}
