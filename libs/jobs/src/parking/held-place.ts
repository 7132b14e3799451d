import type { Line, Lines } from '../backend/lines.js';

/** Renewals in each ttl. */
const RENEWALS = 3;
/** After one that had no answer (ms), at most. */
const ASK_AGAIN = 1_000;

/** What is known of a place that was taken. @internal */
export interface TakenPlace {
  readonly lines: Lines;
  readonly line: Line;
  readonly id: string;
  readonly fencingToken: number;
  readonly ttl: number;
  /** When (monotonic, ms) it was asked for. */
  readonly askedAt: number;
  /** Whether it is still held for something; once it is not, it is renewed no more. Default: until it is let go. */
  readonly isWanted?: () => boolean;
}

/** A place in a line that is renewed as long as it is held. @internal */
export class HeldPlace {
  /** Called once, when somebody else may have it. */
  onLost: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** When the last renewal was asked for that was granted. */
  private renewedAt: number;

  constructor(private readonly place: TakenPlace) {
    this.renewedAt = place.askedAt;
    this.renewIn(Math.max(place.askedAt + place.ttl / RENEWALS - performance.now(), 0));
  }

  get fencingToken(): number {
    return this.place.fencingToken;
  }

  get line(): Line {
    return this.place.line;
  }

  get ttl(): number {
    return this.place.ttl;
  }

  get id(): string {
    return this.place.id;
  }

  /** Ends the renewal: whatever happens now, it is free when its ttl is over. */
  letGo(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** @returns who is to be woken. */
  free(): Promise<string[]> {
    const { lines, line, id, fencingToken } = this.place;
    return lines.free(line, id, fencingToken);
  }

  private renewIn(wait: number): void {
    this.timer = setTimeout(() => void this.renew(), wait).unref();
  }

  private async renew(): Promise<void> {
    const { timer } = this;
    const { lines, line, id, ttl, fencingToken, isWanted } = this.place;
    if (isWanted?.() === false) return;
    const askedAt = performance.now();
    // Frozen for so long that another one may have got it. It is asked for all the same: perhaps none has.
    let isHeld: boolean | undefined;
    try {
      isHeld = await this.answered(lines.renew(line, id, fencingToken, ttl), askedAt);
    } catch {
      // The store is away. Until the ttl is over nobody else can have got it.
    }
    if (this.timer !== timer) return;
    if (isHeld) this.renewedAt = askedAt;
    const left = this.renewedAt + ttl - performance.now();
    if (isHeld === false || left <= 0) return this.onLost?.();
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
