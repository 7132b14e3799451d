import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { clock } from './ledger.js';

/** More than any answer takes. */
const PATIENCE = 10_000;
const INTERVAL = 100;

interface Answer {
  readonly askedAt: number;
  readonly answeredAt: number;
  /** 0: no answer. */
  readonly status: number;
}

/** Asks `GET /health` again and again, as a probe does. */
export class HealthWatch {
  private readonly answers: Answer[] = [];
  private isStopped = false;
  private readonly watching: Promise<void>;

  /** @param url where it is asked; null: nowhere as yet */
  constructor(private readonly url: () => string | null) {
    this.watching = this.watch();
  }

  /** What was said to whoever asked after the one moment and was answered before the other, each once. */
  saidBetween(from: number, to: number): number[] {
    const within = this.answers.filter(({ askedAt, answeredAt }) => askedAt >= from && answeredAt <= to);
    return [...new Set(within.map(({ status }) => status))];
  }

  /** Resolves when somebody who asked after that moment has an answer, of whatever kind. */
  async answeredAfter(moment: number): Promise<void> {
    await eventually(() => this.answers.some(({ askedAt }) => askedAt >= moment), { timeout: 60_000 });
  }

  /** Resolves when somebody who asked after that moment was told that all is well; gives the moment of the answer. */
  async wellAfter(moment: number): Promise<number> {
    const isThat = ({ askedAt, status }: Answer): boolean => askedAt >= moment && status === 200;
    const { answeredAt } = await eventually(() => this.answers.find(isThat) ?? null, { timeout: 60_000 });
    return answeredAt;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.watching;
  }

  private async watch(): Promise<void> {
    while (!this.isStopped) {
      const url = this.url();
      if (url !== null) {
        const askedAt = clock();
        const status = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) }).then(
          async (response) => {
            await response.arrayBuffer();
            return response.status;
          },
          () => 0,
        );
        this.answers.push({ askedAt, answeredAt: clock(), status });
      }
      await pause(INTERVAL);
    }
  }
}
