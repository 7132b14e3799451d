import type { Duration } from '../options/jobs-options.js';
import type { ErrorMatch, ErrorRule } from './error-match.js';

/**
 * How a failed attempt is tried again. The n-th retry waits `min(maxDelay, delay * factor^(n-1))`, less jitter.
 *
 * The idea is Celery's `retry_backoff`, `retry_backoff_max` and `retry_jitter`.
 *
 * @publicApi
 */
export interface RetryPolicy {
  /** Runs in all, the first one included. @default 3 */
  attempts?: number;
  /** Wait before the first retry, at most `maxDelay`: a longer one does not boot. @default '1s' */
  delay?: Duration;
  /** Each further wait is this many times the one before. @default 2 */
  factor?: number;
  /** No wait is longer. @default '10m' */
  maxDelay?: Duration;
  /** `'full'` draws from [0, wait], a fraction j from [(1-j) * wait, wait], `'none'` waits exactly. @default 'full' */
  jitter?: 'none' | 'full' | number;
  /**
   * Only these errors are tried again; every other one is final. Also those that would be final else, but never a
   * {@link NonRetryableError}. @default all but most `HttpException`s of 4xx
   */
  retryOn?: ErrorMatch | readonly ErrorMatch[];
  /** These errors are final, whatever `retryOn` says. An empty list takes back an inherited one. @default none */
  giveUpOn?: ErrorMatch | readonly ErrorMatch[];
  /**
   * No retry is due later than this after the first attempt began; the job fails instead, with its last error. After a
   * {@link Snooze} the time runs from the run that followed. One that is due in time runs also when its queue is behind.
   * `false`: no limit but `attempts`. @default false
   */
  maxElapsed?: Duration | false;
}

/** @internal */
export interface ResolvedRetryPolicy {
  readonly attempts: number;
  readonly delay: number;
  readonly factor: number;
  readonly maxDelay: number;
  /** The part of the wait that is drawn at random: 0 none, 1 full. */
  readonly jitter: number;
  readonly retryOn?: ErrorRule | undefined;
  readonly giveUpOn?: ErrorRule | undefined;
  /** Milliseconds; undefined for no end. */
  readonly maxElapsed?: number | undefined;
}

/** Milliseconds before the `retry`-th retry (from 1). @internal */
export function retryDelay(policy: ResolvedRetryPolicy, retry: number, random: () => number = Math.random): number {
  const wait = Math.min(policy.maxDelay, policy.delay * policy.factor ** (retry - 1));
  return Math.round(wait * (1 - policy.jitter * random()));
}
