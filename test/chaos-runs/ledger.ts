import { randomUUID } from 'node:crypto';
import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What a frozen process tries when it runs again. */
export type LateCall = 'progress' | 'log' | 'enqueue';

/** Something that happened. The store under test has no part in keeping it. */
export type LedgerEvent =
  /** A producer is about to call `enqueue`, which may come to nothing. `id`: empty when the library is to choose it. */
  | { readonly what: 'asked'; readonly id: string; readonly order: number }
  /** `enqueue` has resolved. */
  | { readonly what: 'acknowledged'; readonly id: string; readonly expected: number; readonly order?: number }
  /** `enqueue` has rejected. */
  | { readonly what: 'refused'; readonly id: string; readonly order: number; readonly error: string }
  /** The task's method was called. */
  | { readonly what: 'run'; readonly id: string; readonly attempt: number }
  /** The task's method is about to return. */
  | { readonly what: 'finished'; readonly id: string; readonly attempt: number }
  /** The task's method is about to throw, as ordered or since it could not do what it had to. */
  | { readonly what: 'threw'; readonly id: string; readonly attempt: number }
  /** A handler was told that the job failed. `attempt`: the handler's own. */
  | { readonly what: 'handled'; readonly id: string; readonly attempt: number; readonly error: string }
  /** A call that came after another process had taken the job over. `error`: what it was refused with. */
  | {
      readonly what: 'late';
      readonly id: string;
      readonly attempt: number;
      readonly call: LateCall;
      readonly error: string | null;
    }
  /** The process had no turn for so many ms until now: it was frozen, or the machine had other things to do. */
  | { readonly what: 'no turn'; readonly id: ''; readonly lasted: number }
  | PaymentEvent
  | FencedEvent;

/** What `chaos.pay` jobs do. The runs of one payment are told from each other by their nonces. */
type PaymentEvent =
  /** A job of the payment is acknowledged. */
  | { readonly what: 'payment'; readonly id: string; readonly key: string }
  /** The method was called. */
  | ({ readonly what: 'paying' } & PaymentRun)
  /** The service was told to charge, with an idempotency key. */
  | ({ readonly what: 'charged' } & PaymentRun)
  /** The method is about to return. */
  | ({ readonly what: 'paid' } & PaymentRun)
  /** The method is about to throw. */
  | ({ readonly what: 'not paid' } & PaymentRun);

export interface PaymentRun {
  readonly id: string;
  readonly attempt: number;
  readonly key: string;
  readonly nonce: string;
  readonly idempotencyKey: string;
}

/** What `chaos.write` jobs do, each run with a token of its own. */
type FencedEvent =
  /** A job is acknowledged that writes under the lock of the key. `freezes`: its first run is to be frozen. */
  | { readonly what: 'writer'; readonly id: string; readonly key: string; readonly freezes: boolean }
  /** The method was called, so it has the lock. */
  | ({ readonly what: 'locked' } & FencedRun)
  /** Of the resource: whether it took what was written. */
  | ({ readonly what: 'write'; readonly accepted: boolean } & FencedRun)
  /** A thawed run has been told what became of its lock, by the reason of its signal. */
  | ({ readonly what: 'aborted'; readonly reason: string } & FencedRun)
  /** The method is about to return, or to throw. */
  | ({ readonly what: 'left' } & FencedRun);

export interface FencedRun {
  readonly id: string;
  readonly attempt: number;
  readonly key: string;
  readonly token: number;
}

export type LedgerEntry = LedgerEvent & {
  readonly pid: number;
  /** Nanoseconds of the system's monotonic clock, which is the same one in all processes. */
  readonly at: number;
};

const EXTENSION = '.jsonl';

/** Nanoseconds, as {@link LedgerEntry.at}. */
export function clock(): number {
  return Number(process.hrtime.bigint());
}

export function millisecondsBetween(from: number, to: number): number {
  return Math.round((to - from) / 1e6);
}

/**
 * One process's part of the ledger, a file that is only appended to. A line is with the system when `write` returns: it
 * survives a SIGKILL of the process that wrote it. What it would not survive without `fsync` is the end of the machine,
 * and that is not what the runs do. A pipe would not do as well: Node may still hold in memory what was sent.
 */
export class LedgerFile {
  private readonly file: number;

  constructor(directory: string) {
    this.file = openSync(join(directory, `${process.pid}-${randomUUID()}${EXTENSION}`), 'a');
  }

  append(event: LedgerEvent): void {
    const entry: LedgerEntry = { ...event, pid: process.pid, at: clock() };
    writeSync(this.file, `${JSON.stringify(entry)}\n`);
  }
}

/** What all processes have written, in the order in which it happened. */
export function readLedger(directory: string): LedgerEntry[] {
  const files = readdirSync(directory).filter((name) => name.endsWith(EXTENSION));
  const lines = files.flatMap((name) => completeLines(readFileSync(join(directory, name), 'utf8')));
  return lines.map((line) => JSON.parse(line) as LedgerEntry).sort((a, b) => a.at - b.at);
}

/** Killed in the middle of a write, a process may leave half a line: what it was to tell did not happen. */
function completeLines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}
