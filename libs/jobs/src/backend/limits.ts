/**
 * - `token-bucket`: at most `burst` at once, and `limit` more per `period`; in any time t never more than
 *   `burst + t * limit / period`.
 * - `fixed-window`: at most `limit` in each window of `period`; windows begin at whole multiples of it since 1970 (UTC).
 * - `sliding-window`: at most `limit` in any time of `period`, wherever it begins.
 *
 * @publicApi
 */
export type LimitAlgorithm = 'token-bucket' | 'fixed-window' | 'sliding-window';

/** A sliding window is counted in so many parts, over one more, so that none is ever counted too short. @internal */
export const WINDOW_PARTS = 64;

/** A limit as code declares it. @internal */
export interface LimitRule {
  readonly limit: number;
  /** Whole milliseconds. */
  readonly period: number;
  /** How many a token bucket holds. */
  readonly burst: number;
  readonly algorithm: LimitAlgorithm;
}

/**
 * What the fleet was told at run time of a limit. Without `burst` that of the code stays, or follows the new limit where
 * the code's is its own limit.
 *
 * @internal
 */
export interface LimitChange {
  readonly limit: number;
  readonly period: number;
  readonly burst?: number;
  readonly algorithm?: LimitAlgorithm;
}

/** What is counted together. @internal */
export interface Bucket {
  /** Of the limit; rules are changed by it. */
  readonly name: string;
  /** Whose bucket of that limit it is, such as a tenant's; '' where there is but one. */
  readonly key: string;
}

/** A reserved time; whoever comes back with it is not sent to the end of the line. @internal */
export interface Ticket {
  /** Milliseconds since the epoch, of the store's clock, with a fraction. */
  readonly at: number;
  /** How many tickets this one's holder had, with this one. Only more than one when the limit was not kept busy as planned. */
  readonly round: number;
}

/** @internal */
export interface TakeLimit {
  /** A whole number. More than the bucket can hold counts as the whole bucket. */
  readonly cost: number;
  /** A time further away (ms) is not reserved. 0 reserves none, Infinity any. */
  readonly maxWait: number;
  /**
   * How far away (ms) a grant may lie: it is given now, and the caller waits for its time by itself. What others reserved
   * is kept to only as exactly. Default 0.
   */
  readonly patience?: number;
  readonly ticket?: Ticket;
}

/** @internal */
export interface Granted {
  readonly kind: 'granted';
  /** What the limit was counted at, in ms of the store's clock, with a fraction: never before an earlier grant's. */
  readonly at: number;
  /** Whole milliseconds until then; 0 for a caller without patience. */
  readonly wait: number;
}

/** @internal */
export interface Limited {
  readonly kind: 'waits';
  /** Undefined when no time was reserved. */
  readonly ticket: Ticket | undefined;
  /** Whole milliseconds, at least 1, until it is worth to come back. */
  readonly wait: number;
}

/** @internal */
export interface LimitChanges {
  /** By the limit's name. */
  readonly changes: ReadonlyMap<string, LimitChange>;
  /** What every limit is multiplied with; 1 unless {@link Limits.scale} said otherwise. */
  readonly factor: number;
}

/** A limit as it is told for one bucket. @internal */
export interface LimitSeen {
  /** Milliseconds since the epoch, of the store's clock: nobody is granted anything until then. */
  readonly pausedUntil: number | undefined;
  readonly change: LimitChange | undefined;
  /** As {@link LimitChanges.factor}. */
  readonly factor: number;
}

/**
 * Rate limits of the fleet. Each operation is one round trip and atomic; times are the store's clock.
 *
 * A gate counts what is granted, strictly. Those who find it closed reserve times one after another, at the pace of the
 * limit, so that each comes once and finds it open. Who comes back and finds it closed, because others came late or the
 * limit was paused or made slower, gets a new time behind those who were sent away like it, and before everybody who
 * comes with a first ticket.
 *
 * State that says nothing any more expires. The rule's changes and the factor never do.
 *
 * @internal
 */
export interface Limits {
  take(bucket: Bucket, rule: LimitRule, options: TakeLimit): Promise<Granted | Limited>;
  /** Of a waiter that will not come: those who reserve from now on come sooner. Harmless when its time is over. */
  giveBack(bucket: Bucket, rule: LimitRule, cost: number, ticket: Ticket): Promise<void>;
  /** Nobody is granted anything for so long (ms). Of two pauses, the one that ends later counts. */
  pause(bucket: Bucket, duration: number): Promise<void>;
  /** Changes a rule for the whole fleet; undefined: as the code declares it. Times already reserved keep. */
  change(name: string, change: LimitChange | undefined): Promise<void>;
  /** Multiplies all limits, above 0 and at most 1; what was said before is replaced. */
  scale(factor: number): Promise<void>;
  /** What was changed, of all limits. */
  changes(): Promise<LimitChanges>;
  /** What holds for one bucket beside what its code declares. */
  look(bucket: Bucket): Promise<LimitSeen>;
}
