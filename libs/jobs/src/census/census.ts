import { Inject, Injectable } from '@nestjs/common';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import type { Figures, QueueFigures } from './figures.js';

/** Counts what the store has, for the whole fleet. @internal */
@Injectable()
export class Census {
  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /**
   * What was counted of all declared queues.
   *
   * @param _maxAge - milliseconds that it may be old; 0: it is counted now.
   * @throws {@link BackendUnavailableError}.
   */
  async read(_maxAge: number): Promise<Figures> {
    const names = [...this.options.queues.keys()].filter((name) => name !== INTERNAL_QUEUE);
    const queues = await Promise.all(names.map((name) => this.client.reach(() => this.count(name))));
    return { at: Date.now(), queues, locksWaiting: 0 };
  }

  private async count(queue: string): Promise<QueueFigures> {
    const counts = await this.queues.get(queue).getJobCounts();
    const { waiting = 0, prioritized = 0, paused = 0, delayed = 0, active = 0, failed = 0 } = counts;
    const blocked = counts['waiting-children'] ?? 0;
    return {
      queue,
      waiting: waiting + prioritized + paused,
      delayed,
      blocked,
      running: active,
      deadLetters: failed,
      paused: await this.queues.get(queue).isPaused(),
    };
  }
}
