import type { Line, Lines } from '../backend/lines.js';
import { LockLostError } from './lock.errors.js';

/** Renewals in each ttl. */
const RENEWALS = 3;
/** After one that had no answer (ms), at most. */
const ASK_AGAIN = 1_000;

/** A lock while it is held. @publicApi */
export class HeldLock {
  private readonly lost = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  /** When the last renewal was asked for that was granted. */
  private renewedAt: number;

  /** @internal */
  constructor(
    readonly key: string,
    /**
     * Larger than that of every lock before it, in the whole namespace. A resource that remembers the largest one it has
     * seen, and refuses smaller ones, is never written by an old holder: a lock alone cannot promise that, since a
     * process may be frozen and go on later, as if it still had it.
     */
    readonly fencingToken: number,
    private readonly place: {
      readonly lines: Lines;
      readonly line: Line;
      readonly id: string;
      readonly ttl: number;
      /** When (monotonic, ms) it was asked for. */
      readonly askedAt: number;
    },
  ) {
    this.renewedAt = place.askedAt;
    this.renewIn(Math.max(place.askedAt + place.ttl / RENEWALS - performance.now(), 0));
  }

  /** Aborted with {@link LockLostError} when the lock is lost: whoever holds it should stop. */
  get signal(): AbortSignal {
    return this.lost.signal;
  }

  /** Ends the renewal: whatever happens now, it is free when its ttl is over. @internal */
  letGo(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** @returns who is to be woken. @internal */
  free(): Promise<string[]> {
    const { lines, line, id } = this.place;
    return lines.free(line, id, this.fencingToken);
  }

  private renewIn(wait: number): void {
    this.timer = setTimeout(() => void this.renew(), wait).unref();
  }

  private async renew(): Promise<void> {
    const { timer } = this;
    const { lines, line, id, ttl } = this.place;
    const askedAt = performance.now();
    // Frozen for so long that another one may have got it. It is asked for all the same: perhaps none has.
    let isHeld: boolean | undefined;
    try {
      isHeld = await this.answered(lines.renew(line, id, this.fencingToken, ttl), askedAt);
    } catch {
      // The store is away. Until the ttl is over nobody else can have got it.
    }
    if (this.timer !== timer) return;
    if (isHeld) this.renewedAt = askedAt;
    const left = this.renewedAt + ttl - performance.now();
    if (isHeld === false || left <= 0) return this.lost.abort(new LockLostError(this.key, this.fencingToken));
    this.renewIn(Math.min(isHeld ? ttl / RENEWALS : ASK_AGAIN, left));
  }

  /** The answer, or undefined when the lock has ended before it came. */
  private answered(answer: Promise<boolean>, askedAt: number): Promise<boolean | undefined> {
    const valid = this.renewedAt + this.place.ttl - askedAt;
    const left = valid > 0 ? valid : ASK_AGAIN;
    let timer: NodeJS.Timeout;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, left, undefined).unref()));
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }
}
