import { setTimeout as pause } from 'node:timers/promises';
import type { JobHandle } from 'nestjs-jobs';
import { eventually } from './eventually.js';

const LANES = 8;

export interface Acknowledged {
  n: number;
  job: JobHandle;
}

/** Enqueues without end, and remembers what was acknowledged; a refused enqueue is tried no more. */
export class Load {
  readonly acknowledged: Acknowledged[] = [];
  refused = 0;
  private isStopped = false;
  private next = 0;
  private readonly lanes: Promise<unknown>;

  constructor(private readonly enqueue: (n: number) => Promise<JobHandle>) {
    this.lanes = Promise.all(Array.from({ length: LANES }, () => this.produce()));
  }

  /** Waits for `count` more jobs. */
  async untilAcknowledged(count: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    await eventually(() => this.acknowledged.length >= goal, { timeout: 60_000 });
  }

  async stop(): Promise<Acknowledged[]> {
    this.isStopped = true;
    await this.lanes;
    return this.acknowledged;
  }

  private async produce(): Promise<void> {
    while (!this.isStopped) {
      const n = this.next++;
      try {
        this.acknowledged.push({ n, job: await this.enqueue(n) });
      } catch {
        this.refused++;
        // A refusal may come at once, and lanes that never pause would leave no turn to anybody else.
        await pause(1);
      }
    }
  }
}
