import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { QueueControl } from '../fleet/queue-control.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';

/** After the store could not be told (ms). */
const TRIED_AGAIN_AFTER = 500;

/** Brings what the code declares as `globalConcurrency` into the store, as soon as that is there. @internal */
@Injectable()
export class GlobalConcurrency {
  private readonly logger = new Logger('Jobs');
  private isStopped = false;

  constructor(
    private readonly control: QueueControl,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** Resolves when the workers of the queue may begin: where there is a limit, not before the store has it. */
  async declare(queue: string): Promise<void> {
    if (this.options.queues.get(queue)?.globalConcurrency !== undefined) await this.insist(queue);
  }

  stop(): void {
    this.isStopped = true;
  }

  private async insist(queue: string): Promise<void> {
    while (!this.isStopped) {
      try {
        await this.backend.whenReady(this.options.connectTimeout);
        return await this.control.declare(queue);
      } catch (error) {
        this.logger.debug(
          `The global concurrency of queue "${queue}" is not declared yet: ${(error as Error).message}`,
        );
        await sleep(TRIED_AGAIN_AFTER, undefined, { ref: false });
      }
    }
  }
}
