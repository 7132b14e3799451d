import type { LimitAlgorithm, LimitChange, LimitRule } from '../backend/limits.js';
import { InvalidArgumentError, invalidArgument } from '../client/invalid-argument.error.js';
import { isPlainObject, parseDuration } from '../options/option-reader.js';

const MOST = 1_000_000;
const LONGEST_PERIOD = 31 * 24 * 3_600_000;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };
const FORM = /^(?<count>\d{1,16})\s*\/\s*(?<period>\S.*)$/;
const ALGORITHMS: readonly LimitAlgorithm[] = ['token-bucket', 'fixed-window', 'sliding-window'];
const EXPECTED = `a number from 1 to ${MOST} per ms, s, m, h, d or duration up to 31 days, like '100/m' or '5/10s'`;

/** @publicApi */
export interface RateLimitRule {
  /** How many in what time: `'100/m'` (per `ms`, `s`, `m`, `h` or `d`), `'5/10s'`. From 1 to a million, per 1 ms to 31 days. */
  limit: string;
  /** How many a token bucket holds: so many may come at once after a quiet time. 1 spaces them evenly. @default the limit */
  burst?: number;
  /** @default 'token-bucket' */
  algorithm?: LimitAlgorithm;
}

/** @throws {InvalidArgumentError} @internal */
export function resolveLimitRule(what: string, { limit, burst, algorithm = 'token-bucket' }: RateLimitRule): LimitRule {
  const change = readChange(what, limit, burst, algorithm);
  return { burst: change.limit, algorithm, ...change };
}

/** Only what is said: the rest stays as code declares it. @throws {InvalidArgumentError} @internal */
export function resolveLimitChange(what: string, change: string | RateLimitRule): LimitChange {
  if (typeof change === 'string') return readChange(what, change, undefined, undefined);
  if (!isPlainObject(change)) throw invalidArgument(what, `${EXPECTED}, or an object like { limit: '10/s' }`, change);
  const known = new Set<string>(['limit', 'burst', 'algorithm'] satisfies (keyof RateLimitRule)[]);
  const unknown = Object.keys(change).find((key) => !known.has(key));
  if (unknown !== undefined) throw invalidArgument(what, `of ${[...known].join(', ')} only`, unknown);
  return readChange(what, change.limit, change.burst, change.algorithm);
}

/** How much the rule can grant at once. @internal */
export function mostAtOnce({ algorithm, burst, limit }: LimitRule): number {
  return algorithm === 'token-bucket' ? burst : limit;
}

/** @throws {InvalidArgumentError} @internal */
export function requireCost(what: string, cost: number, rule: LimitRule): number {
  const most = mostAtOnce(rule);
  if (Number.isInteger(cost) && cost >= 1 && cost <= most) return cost;
  const why = rule.algorithm === 'token-bucket' ? 'its burst' : 'its limit';
  throw invalidArgument(what, `a whole number from 1 to ${most}, ${why}: more could never be granted`, cost);
}

/** As {@link RateLimitRule.limit} has it. @internal */
export function formatLimit({ limit, period }: Pick<LimitRule, 'limit' | 'period'>): string {
  const units = Object.entries(UNITS).reverse();
  const [name, length] = units.find(([, unit]) => period % unit === 0)!;
  return period === length ? `${limit}/${name}` : `${limit}/${period / length}${name}`;
}

function readChange(
  what: string,
  limit: string,
  burst: number | undefined,
  algorithm: LimitAlgorithm | undefined,
): LimitChange {
  const { count, period } = (typeof limit === 'string' && FORM.exec(limit.trim())?.groups) || {};
  if (Number(count) === 0) {
    const expected = 'above zero; jobs.limits.pause stops what runs under it for a time';
    throw new InvalidArgumentError(what, expected, `is ${JSON.stringify(limit)}`);
  }
  const length = period === undefined ? undefined : readPeriod(period);
  if (Number(count) > MOST || length === undefined) throw invalidArgument(what, EXPECTED, limit);
  if (burst !== undefined && !(Number.isInteger(burst) && burst >= 1 && burst <= MOST)) {
    throw invalidArgument(`the burst of ${what}`, `a whole number from 1 to ${MOST}`, burst);
  }
  if (algorithm !== undefined && !ALGORITHMS.includes(algorithm)) {
    throw invalidArgument(`the algorithm of ${what}`, `one of ${ALGORITHMS.join(', ')}`, algorithm);
  }
  return {
    limit: Number(count),
    period: length,
    ...(burst !== undefined && { burst }),
    ...(algorithm !== undefined && { algorithm }),
  };
}

/** A number alone is none: nobody would see that it is meant in milliseconds. */
function readPeriod(text: string): number | undefined {
  const length = Object.hasOwn(UNITS, text) ? UNITS[text] : /[a-z]/i.test(text) ? parseDuration(text) : undefined;
  if (length === undefined) return undefined;
  const whole = Math.round(length);
  return whole >= 1 && whole <= LONGEST_PERIOD ? whole : undefined;
}
