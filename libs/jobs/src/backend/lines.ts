/** To count more takes time, and changes nothing. @internal */
export const MOST_AHEAD = 1_000;

/** A number of places, and the line of those who wait for one. @internal */
export interface Line {
  readonly name: string;
  /** How many may hold a place at once. Whoever asks says it anew, so a deploy may change it. */
  readonly places: number;
  /** How long (ms) a place is kept for a waiter that was called, before it is offered to the next. */
  readonly patience: number;
}

/** @internal */
export interface TakeOptions {
  /** How long (ms) the place is held without being renewed. */
  readonly ttl: number;
  /** False: whoever gets no place goes away. */
  readonly stand: boolean;
  /** What {@link Waiting.turn} was when the same one last stood in this line: it gets its turn back. */
  readonly turn?: number;
}

/** @internal */
export interface Holding {
  readonly kind: 'holds';
  /** Larger than every one before it, in the whole namespace, for ever. */
  readonly fencingToken: number;
  /** Waiters that got a place because somebody's had expired: they are to be woken, in this order. */
  readonly wake: readonly string[];
}

/** @internal */
export interface Waiting {
  readonly kind: 'waits';
  /** Its number in the line; undefined for one that does not stand in it. */
  readonly turn: number | undefined;
  /** How many wait before it; at most {@link MOST_AHEAD} are counted, or as many as there are places. */
  readonly ahead: number;
  /** Milliseconds until the first place is free at the latest, unless its holder renews it. */
  readonly freeIn: number;
  readonly wake: readonly string[];
}

/** Holders that {@link Lines.look} tells by name. @internal */
export const MOST_SEEN = 10;

/** What can be seen of a line without asking for a place. Times are milliseconds since the epoch, of the store's clock. @internal */
export interface LineSeen {
  /** Who holds a place, the first that expires first; at most {@link MOST_SEEN}. */
  readonly holders: readonly { readonly id: string; readonly expiresAt: number }[];
  /** How many places are held. */
  readonly held: number;
  /** How many stand before the one that looks, also those that are called and have not come; at most {@link MOST_AHEAD}. */
  readonly ahead: number;
  /** A place is kept for the one that looks. */
  readonly isCalled: boolean;
}

/**
 * Places that somebody holds for a time, and lines of waiters before them: what locks and semaphores are made of. Each
 * operation is one round trip and atomic; times are the store's clock.
 *
 * A place that becomes free is offered to the first in the line, and kept for it for a while. Whoever is offered one must
 * be woken by the one that was told (`wake`), and takes it then. One that does not come loses its place in the line, and
 * gets it back by its turn.
 *
 * @internal
 */
export interface Lines {
  /** Takes a place if one is free and nobody waits longer for it. Who holds one already gets it again, with a new token. */
  take(line: Line, id: string, options: TakeOptions): Promise<Holding | Waiting>;
  /** False when the place was lost. */
  renew(line: Line, id: string, fencingToken: number, ttl: number): Promise<boolean>;
  /**
   * Gives up a place; harmless when it was lost.
   *
   * @returns who is to be woken: also those who were called before and have not come, since whoever was to wake them may
   * have died.
   */
  free(line: Line, id: string, fencingToken: number): Promise<string[]>;
  /**
   * Leaves the line, with what it was offered. Harmless when it does not wait.
   *
   * @param withPlace - gives up a place that it holds as well. Default false.
   * @returns who is to be woken: also those who were called before and have not come, since whoever was to wake them may
   * have died.
   */
  leave(line: Line, id: string, withPlace?: boolean): Promise<string[]>;
  /** Whether it should come and look: a place is kept for it, or it does not stand in the line any more. */
  isCalled(line: Line, id: string): Promise<boolean>;
  /**
   * Who is before a waiter. Nothing is changed by it.
   *
   * @param turn - of the waiter, as {@link Waiting.turn} told it.
   */
  look(line: Line, id: string, turn: number): Promise<LineSeen>;
}
