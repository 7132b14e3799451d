import { setTimeout as pause } from 'node:timers/promises';
import { task, type JobsService } from '../../libs/jobs/src/index.js';
import { eventually } from '../support/eventually.js';
import { ChaosTasks, expectedValue, type WorkOrder } from './chaos-tasks.js';
import { readLedger, type LedgerFile } from './ledger.js';
import { seededRandom, type SeededRandom } from './seeded-random.js';

export const STOP_PRODUCING = 'stop producing';

const LANES = 4;
/** Milliseconds between two jobs of a lane: about what the workers can do. */
const GAP = 40;
const PAUSE_WHEN_REFUSED = 50;

/** What is to be enqueued. */
export interface Order extends WorkOrder {
  /** With a name of its own, it is asked for again under it, until it is acknowledged. */
  readonly isNamed: boolean;
}

export type DrawOrder = (random: SeededRandom, n: number) => Order;

/** Some last longer than killing a server does. */
export const drawMixedOrder: DrawOrder = (random, n) => ({
  n,
  takes: random.chance(0.15) ? random.between(500, 1_500) : random.between(0, 250),
  throwsFirst: random.chance(0.1),
  followUp: random.chance(0.1),
  isNamed: random.chance(0.5),
});

/** Enqueues until it is stopped, through whatever happens to the store. The same seed gives the same jobs. */
export class Producer {
  /** By the ids of the acknowledged. */
  readonly orders = new Map<string, Order>();
  refused = 0;
  private isStopped = false;
  private next: number;
  private readonly lanes: Promise<unknown>;

  constructor(
    private readonly jobs: JobsService,
    private readonly ledger: LedgerFile,
    private readonly seed: number,
    private readonly draw: DrawOrder = drawMixedOrder,
    first = 0,
  ) {
    this.next = first;
    this.lanes = Promise.all(Array.from({ length: LANES }, () => this.produce()));
  }

  /** After the orders that a process before has asked for. */
  static goingOn(jobs: JobsService, ledger: LedgerFile, directory: string, seed: number): Producer {
    const asked = readLedger(directory).flatMap((entry) => (entry.what === 'asked' ? [entry.order] : []));
    return new Producer(jobs, ledger, seed, drawMixedOrder, Math.max(-1, ...asked) + 1);
  }

  /** Waits until so many were acknowledged in all. */
  async untilAcknowledged(count: number): Promise<void> {
    await eventually(() => this.orders.size >= count, { timeout: 120_000, interval: 20 });
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.lanes;
  }

  private async produce(): Promise<void> {
    while (!this.isStopped) {
      const n = this.next++;
      const order = this.draw(seededRandom(this.seed + n), n);
      while (!(await this.isAcknowledged(order))) await pause(PAUSE_WHEN_REFUSED);
      await pause(GAP);
    }
  }

  private async isAcknowledged({ isNamed, ...order }: Order): Promise<boolean> {
    const name = isNamed ? `work-${order.n}` : '';
    this.ledger.append({ what: 'asked', id: name, order: order.n });
    try {
      const { id } = await this.jobs.enqueue(task(ChaosTasks, 'work'), order, isNamed ? { id: name } : {});
      this.ledger.append({ what: 'acknowledged', id, expected: expectedValue(order.n), order: order.n });
      this.orders.set(id, { isNamed, ...order });
      return true;
    } catch (error) {
      this.refused++;
      this.ledger.append({ what: 'refused', id: name, order: order.n, error: (error as Error).name });
      return false;
    }
  }
}
