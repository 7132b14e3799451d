import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import { FleetChore } from '../backend/fleet-chore.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';

const COLLECTION = 'sweeps';
/** Milliseconds. Nothing depends on it but how long the store is full of what nobody can read any more. */
const LONGEST_INTERVAL = 60_000;
const SHORTEST_INTERVAL = 1_000;
/** Jobs that one call removes: Redis serves nobody else meanwhile. */
const SWEEP_BATCH = 1_000;
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
  private readonly chore: FleetChore;
  /** Milliseconds. */
  private readonly age: number;

  constructor(
    private readonly queues: Queues,
    @Inject(QUEUE_BACKEND) backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.age = Math.ceil(options.keepFailedFor / 1_000) * 1_000;
    const settings = {
      collection: COLLECTION,
      // While a deploy changes the option, the sweep of a process that keeps for longer is not this one.
      key: `dead-letters-${this.age}`,
      interval: Math.min(LONGEST_INTERVAL, Math.max(SHORTEST_INTERVAL, options.keepFailedFor / 10)),
      // An unreachable backend is reported by the health check.
      onFailure: (error: Error) => this.logger.debug(`Nothing swept: ${error.message}`),
    };
    this.chore = new FleetChore(backend, settings, () => this.sweep());
  }

  onApplicationBootstrap(): void {
    if (this.options.workedQueues.size === 0) return;
    this.chore.start();
    this.chore.begin();
  }

  async onModuleDestroy(): Promise<void> {
    await this.chore.stop(this.options.connectTimeout);
  }

  private async sweep(): Promise<void> {
    for (const name of this.options.queues.keys()) {
      for (let removed = SWEEP_BATCH; removed === SWEEP_BATCH && !this.chore.isStopped;) {
        removed = (await this.queues.get(name).clean(this.age, SWEEP_BATCH, 'failed')).length;
      }
    }
  }
}
