import type { LimitRule } from '../backend/limits.js';
import { madeOf, type CallSource, type KeyOf, type refuseJob } from '../execution/policy-key.js';
import { assertKnown, resolveKey } from '../locking/lock-options.js';
import { requireLimitName } from './limit-options.js';
import { requireCost, resolveLimitRule, type RateLimitRule } from './limit-rule.js';

/** What {@link RateLimited} takes. @publicApi */
export interface RateLimitedOptions<Payload> extends RateLimitRule {
  /** Whose part of the limit, such as a tenant's: each key has all of it for itself. 1 to 500 characters. @default one for all */
  key?: KeyOf<Payload> | string;
  /**
   * Of the limit: what has the same name shares it, in other tasks, queues, handlers and `jobs.limits.consume`, and is
   * changed together. Everybody should declare the same. 1 to 200 characters.
   *
   * @default the task's name; of an HTTP handler `Class.method`
   */
  name?: string;
  /** How much of the limit a call takes: a whole number, at most the burst, or the limit of a window. @default 1 */
  cost?: number | ((payload: Payload, source: CallSource) => number);
}

/** @internal */
export interface ResolvedRateLimited {
  readonly rule: LimitRule;
  readonly key: KeyOf<never> | undefined;
  readonly name: string | undefined;
  readonly cost: number | ((payload: never, source: CallSource) => number);
}

/** @throws {InvalidArgumentError} @internal */
export function resolveRateLimited<Payload>(
  options: RateLimitedOptions<Payload>,
  decorator: string,
): ResolvedRateLimited {
  const known: (keyof RateLimitedOptions<Payload>)[] = ['limit', 'burst', 'algorithm', 'key', 'name', 'cost'];
  assertKnown(options, decorator, known, "an object like { limit: '100/m' }");
  const { key, name, cost = 1, ...rest } = options;
  const rule = resolveLimitRule(`the limit of ${decorator}`, rest);
  if (typeof cost !== 'function') requireCost(`the cost of ${decorator}`, cost, rule);
  return {
    rule,
    key: key === undefined ? undefined : resolveKey(key, decorator),
    name: name === undefined ? undefined : requireLimitName(name),
    cost,
  };
}

/** @throws what `refuse` makes of a cost that is none. @internal */
export function costOf(
  { cost, rule }: ResolvedRateLimited,
  payload: unknown,
  source: CallSource,
  refuse: typeof refuseJob,
): number {
  if (typeof cost === 'number') return cost;
  const made: unknown = madeOf('the cost of @RateLimited', () => cost(payload as never, source), refuse);
  try {
    return requireCost('the cost of @RateLimited', made as number, rule);
  } catch (error) {
    throw refuse((error as Error).message);
  }
}
