import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { clock, LedgerFile, millisecondsBetween, type LedgerEntry } from './ledger.js';

/** Milliseconds between two looks at the clock. */
const LOOKS = 50;
/** Milliseconds. What is held for a second is lost by two thirds of it without a turn, and hardly by less. */
const WORTH_TELLING = 400;

/**
 * Tells when this process had no turn for a while: what it held may be another's then, which is nobody's fault but the
 * machine's.
 */
@Injectable()
export class TurnWatch implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly ledger: LedgerFile) {}

  onApplicationBootstrap(): void {
    let last = clock();
    this.timer = setInterval(() => {
      const lasted = millisecondsBetween(last, clock());
      last = clock();
      if (lasted > WORTH_TELLING) this.ledger.append({ what: 'no turn', id: '', lasted });
    }, LOOKS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }
}

/** Whether the process had no turn for a while somewhere between the two moments. */
export function hadNoTurn(entries: readonly LedgerEntry[], pid: number, from: number, to: number): boolean {
  return entries.some(
    (entry) => entry.what === 'no turn' && entry.pid === pid && entry.at > from && entry.at - entry.lasted * 1e6 < to,
  );
}
