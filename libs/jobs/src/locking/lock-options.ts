import { invalidArgument, requireDuration, requireText } from '../client/invalid-argument.error.js';
import type { Duration } from '../options/jobs-options.js';

const LONGEST_KEY = 500;
const DEFAULT_TTL = 300_000;
/** Below it, a pause of the garbage collector would lose a lock. */
const SHORTEST_TTL = 100;
const LONGEST_TTL = 7 * 24 * 3_600_000;
const MOST_HOLDERS = 10_000;

/** @publicApi */
export interface LockOptions {
  /**
   * For how long others wait when this process dies. While it lives the lock is renewed, as long as the work takes. From
   * 100 ms to 7 days.
   *
   * @default '5m'
   */
  ttl?: Duration;
  /** How many may hold it at the same time; everybody should say the same. @default 1 */
  limit?: number;
  /** For how long it is waited for. @default without end */
  maxWait?: Duration;
  /** Ends the waiting, with its reason; of the work it ends nothing. */
  signal?: AbortSignal;
}

/** @internal */
export interface ResolvedLockOptions {
  readonly ttl: number;
  readonly limit: number;
  readonly maxWait: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** @throws {InvalidArgumentError} @internal */
export function requireLockKey(key: string): string {
  return requireText('the key of a lock', key, LONGEST_KEY);
}

/** @throws {InvalidArgumentError} @internal */
export function resolveLockOptions(options: LockOptions): ResolvedLockOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument('the options of a lock', 'an object like { ttl: "30s" }', options);
  }
  const known = new Set<string>(['ttl', 'limit', 'maxWait', 'signal'] satisfies (keyof LockOptions)[]);
  const unknown = Object.keys(options).find((key) => !known.has(key));
  if (unknown !== undefined) {
    throw invalidArgument('the options of a lock', `of ${[...known].join(', ')} only`, unknown);
  }
  const { ttl = DEFAULT_TTL, limit = 1, maxWait, signal } = options;
  const milliseconds = requireDuration('the ttl of a lock', ttl);
  if (milliseconds < SHORTEST_TTL || milliseconds > LONGEST_TTL) {
    throw invalidArgument('the ttl of a lock', `from ${SHORTEST_TTL} ms to 7 days`, ttl);
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_HOLDERS) {
    throw invalidArgument('the limit of a lock', `a whole number from 1 to ${MOST_HOLDERS}`, limit);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgument('the signal of a lock', 'an AbortSignal', signal);
  }
  return {
    ttl: milliseconds,
    limit,
    maxWait: maxWait === undefined ? undefined : requireDuration('the maxWait of a lock', maxWait),
    signal,
  };
}
