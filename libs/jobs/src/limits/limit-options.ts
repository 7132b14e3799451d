import type { Bucket, LimitRule } from '../backend/limits.js';
import {
  InvalidArgumentError,
  invalidArgument,
  requireDuration,
  requireText,
} from '../client/invalid-argument.error.js';
import { isPlainObject } from '../options/option-reader.js';
import type { Duration } from '../options/jobs-options.js';
import { requireCost, resolveLimitRule, type RateLimitRule } from './limit-rule.js';

const LONGEST_NAME = 200;
const LONGEST_KEY = 500;

/** @publicApi */
export interface ConsumeOptions extends Partial<RateLimitRule> {
  /** What is limited. The same name is the same limit in the whole fleet, whoever uses it: also that of a task. */
  name: string;
  /** How many in what time, like `'100/m'`; everybody should say the same. @default what this process declared for the name */
  limit?: string;
  /** Whose part of the limit, such as a tenant's: each key has all of it for itself. 1 to 500 characters. */
  key?: string;
  /** How much of the limit this takes: a whole number, at most the burst, or the limit of a window. @default 1 */
  cost?: number;
  /** For how long it is waited for; 0 not at all. @default without end */
  maxWait?: Duration;
  /** Ends the waiting, with its reason. */
  signal?: AbortSignal;
}

/** @internal */
export interface ResolvedConsumeOptions {
  readonly bucket: Bucket;
  readonly rule: LimitRule;
  readonly cost: number;
  readonly maxWait: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws {InvalidArgumentError} @internal */
export function requireLimitName(name: string): string {
  return requireText('the name of a limit', name, LONGEST_NAME);
}

/** '' for none. @throws {InvalidArgumentError} @internal */
export function requireLimitKey(key: string | undefined): string {
  return key === undefined ? '' : requireText('the key of a limit', key, LONGEST_KEY);
}

/** @throws {InvalidArgumentError} @internal */
export function resolveConsumeOptions(
  options: ConsumeOptions,
  declaredOf: (name: string) => LimitRule | undefined,
): ResolvedConsumeOptions {
  if (!isPlainObject(options)) {
    throw invalidArgument('what is consumed of a limit', "an object like { name: 'mails', limit: '100/m' }", options);
  }
  const known = new Set<string>([
    'name',
    'limit',
    'burst',
    'algorithm',
    'key',
    'cost',
    'maxWait',
    'signal',
  ] satisfies (keyof ConsumeOptions)[]);
  const unknown = Object.keys(options).find((key) => !known.has(key));
  if (unknown !== undefined) {
    throw invalidArgument('what is consumed of a limit', `of ${[...known].join(', ')} only`, unknown);
  }
  const { cost = 1, maxWait, signal } = options;
  const name = requireLimitName(options.name);
  const rule = ruleOf(name, options, declaredOf);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgument('the signal of a limit', 'an AbortSignal', signal);
  }
  return {
    bucket: { name, key: requireLimitKey(options.key) },
    rule,
    cost: requireCost(`the cost under the limit "${name}"`, cost, rule),
    maxWait: maxWait === undefined ? Infinity : requireDuration('the maxWait of a limit', maxWait),
    signal,
  };
}

function ruleOf(
  name: string,
  { limit, burst, algorithm }: ConsumeOptions,
  declaredOf: (name: string) => LimitRule | undefined,
): LimitRule {
  const what = `the limit "${name}"`;
  if (limit !== undefined) {
    return resolveLimitRule(what, {
      limit,
      ...(burst !== undefined && { burst }),
      ...(algorithm !== undefined && { algorithm }),
    });
  }
  if (burst !== undefined || algorithm !== undefined) {
    throw new InvalidArgumentError(what, 'given with its burst and algorithm', 'is not given');
  }
  const declared = declaredOf(name);
  if (declared) return declared;
  throw new InvalidArgumentError(what, "given, like '100/m'", 'nothing in this process declares it');
}
