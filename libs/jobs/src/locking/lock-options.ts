import { invalidArgument, requireDuration, requireText } from '../client/invalid-argument.error.js';
import type { KeyOf } from '../execution/policy-key.js';
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

/** What {@link Locked} takes. @publicApi */
export interface LockedOptions<Payload> {
  /**
   * What is locked: text, or made of the payload. All that takes a lock of one key in the namespace shares it: other tasks,
   * HTTP handlers and `jobs.locks.withLock`. 1 to 500 characters.
   */
  key: string | KeyOf<Payload>;
  /** As in {@link LockOptions}. @default '5m' */
  ttl?: Duration;
  /** How many may hold it at the same time; everybody should say the same. @default 1 */
  limit?: number;
  /**
   * What becomes of a job that finds it held. `wait`: it steps out of its slot into a line, and is woken in turn. `skip`: it
   * ends as succeeded, with a reason, and is not run. `fail`: the attempt fails with {@link LockBusyError}, and the retry
   * policy decides.
   *
   * A request waits with its connection open; with `fail`, or when `maxWait` is over, it is answered 409.
   *
   * @default 'wait'
   */
  onBusy?: OnBusy;
  /** For how long it is waited for; then the attempt fails with {@link LockBusyError}. @default without end; of a request 10 s */
  maxWait?: Duration;
}

/** What becomes of a job that has to wait for another one. @publicApi */
export type OnBusy = 'wait' | 'skip' | 'fail';

/** @internal */
export interface ResolvedLocked {
  readonly key: KeyOf<never>;
  readonly ttl: number;
  readonly limit: number;
  readonly onBusy: OnBusy;
  readonly maxWait: number | undefined;
}

/** @throws {InvalidArgumentError} @internal */
export function resolveLocked<Payload>(options: LockedOptions<Payload>, name: string): ResolvedLocked {
  const expected = 'an object like { key: (payload) => payload.account }';
  assertKnown(
    options,
    name,
    ['key', 'ttl', 'limit', 'onBusy', 'maxWait'] satisfies (keyof LockedOptions<never>)[],
    expected,
  );
  const { ttl, limit, maxWait } = resolveLimits(options, name);
  return { key: resolveKey(options.key, name), ttl, limit, maxWait, onBusy: resolveOnBusy(options.onBusy, name) };
}

/** @internal */
export function resolveOnBusy(onBusy: OnBusy = 'wait', name: string): OnBusy {
  if (['wait', 'skip', 'fail'].includes(onBusy)) return onBusy;
  throw invalidArgument(`onBusy of ${name}`, "'wait', 'skip' or 'fail'", onBusy);
}

/** @internal */
export function resolveKey<Payload>(key: string | KeyOf<Payload>, name: string): KeyOf<never> {
  if (typeof key === 'function') return key;
  if (typeof key !== 'string') throw invalidArgument(`the key of ${name}`, 'text or a function of the payload', key);
  requireText(`the key of ${name}`, key, LONGEST_KEY);
  return () => key;
}

/** @throws {InvalidArgumentError} @internal */
export function assertKnown(options: object, name: string, known: readonly string[], expected: string): void {
  if (typeof options !== 'object' || options === null)
    throw invalidArgument(`the options of ${name}`, expected, options);
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalidArgument(`the options of ${name}`, `of ${known.join(', ')} only`, unknown);
}

/** @throws {InvalidArgumentError} @internal */
export function requireLockKey(key: string): string {
  return requireText('the key of a lock', key, LONGEST_KEY);
}

/** @throws {InvalidArgumentError} @internal */
export function resolveLockOptions(options: LockOptions): ResolvedLockOptions {
  const known: (keyof LockOptions)[] = ['ttl', 'limit', 'maxWait', 'signal'];
  assertKnown(options, 'a lock', known, 'an object like { ttl: "30s" }');
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgument('the signal of a lock', 'an AbortSignal', signal);
  }
  return { ...resolveLimits(options, 'a lock'), signal };
}

function resolveLimits(
  { ttl = DEFAULT_TTL, limit = 1, maxWait }: Pick<LockOptions, 'ttl' | 'limit' | 'maxWait'>,
  name: string,
): Omit<ResolvedLockOptions, 'signal'> {
  const milliseconds = requireDuration(`the ttl of ${name}`, ttl);
  if (milliseconds < SHORTEST_TTL || milliseconds > LONGEST_TTL) {
    throw invalidArgument(`the ttl of ${name}`, `from ${SHORTEST_TTL} ms to 7 days`, ttl);
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_HOLDERS) {
    throw invalidArgument(`the limit of ${name}`, `a whole number from 1 to ${MOST_HOLDERS}`, limit);
  }
  const longest = maxWait === undefined ? undefined : requireDuration(`the maxWait of ${name}`, maxWait);
  return { ttl: milliseconds, limit, maxWait: longest };
}
