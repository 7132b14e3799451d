import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { invalidArgument } from '../client/invalid-argument.error.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { isConcurrency, MOST_CONCURRENCY } from './fleet-channel.js';

/** In the ledger: what the code has declared last, by queue. */
const DECLARED = 'global-concurrency';

/** What holds of a queue for the whole fleet, in the store. @internal */
@Injectable()
export class QueueControl {
  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  pause(queue: string): Promise<void> {
    return this.client.reach(() => this.queues.get(queue).pause());
  }

  resume(queue: string): Promise<void> {
    return this.client.reach(() => this.queues.get(queue).resume());
  }

  async globalConcurrency(queue: string): Promise<number | undefined> {
    return (await this.client.reach(() => this.queues.get(queue).getGlobalConcurrency())) ?? undefined;
  }

  async setGlobalConcurrency(queue: string, concurrency: number | undefined): Promise<void> {
    if (concurrency !== undefined && !isConcurrency(concurrency)) {
      throw invalidArgument(
        'the concurrency',
        `a whole number from 1 to ${MOST_CONCURRENCY}, or undefined`,
        concurrency,
      );
    }
    await this.client.reach(() => this.write(queue, concurrency));
  }

  /**
   * Writes what the code declares where that is not what was declared before: what was set meanwhile stays. Nothing is
   * taken away where it declares none, since an old process may boot after those of a deploy that brought a limit.
   */
  async declare(queue: string): Promise<void> {
    const concurrency = this.options.queues.get(queue)?.globalConcurrency;
    if (concurrency === undefined) return;
    const record = await this.backend.ledger.get(DECLARED, queue);
    if (record?.value === concurrency) return;
    await this.write(queue, concurrency);
    await this.backend.ledger.put(DECLARED, queue, concurrency);
  }

  private async write(name: string, concurrency: number | undefined): Promise<void> {
    const queue = this.queues.get(name);
    if (concurrency === undefined) await queue.removeGlobalConcurrency();
    else await queue.setGlobalConcurrency(concurrency);
    // Workers that found no place before would notice seconds later.
    await this.backend.wakeWorker(queue);
  }
}
