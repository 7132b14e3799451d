import type { ResolvedTimeLimit } from '../execution/time-limit.js';
import { ERROR_MATCH_RULE, errorRule, isErrorMatch, type ErrorRule } from '../retry/error-match.js';
import type { ResolvedRetryPolicy } from '../retry/retry-policy.js';
import { InvalidJobsOptionsError } from './jobs-options.error.js';
import { LONGEST_TIMER, OptionReader } from './option-reader.js';

/** What the column of SQL stores that holds it. */
const MOST_ATTEMPTS = 2 ** 31 - 1;
/** The part of a hard limit after which a task is asked to stop, unless somebody says otherwise. */
const SOFT_SHARE = 0.9;
const RETRY_KEYS = ['attempts', 'delay', 'factor', 'maxDelay', 'jitter', 'retryOn', 'giveUpOn', 'maxElapsed'];

/** Lays a retry policy over another one, checked. @internal */
export function resolveRetry(value: unknown, path: string, base: ResolvedRetryPolicy): ResolvedRetryPolicy {
  const reader = new OptionReader(value, path, RETRY_KEYS);
  const factor = reader.raw('factor');
  const maxElapsed = reader.expiry('maxElapsed');
  return Object.freeze({
    attempts: reader.count('attempts', base.attempts, MOST_ATTEMPTS),
    delay: reader.duration('delay', base.delay),
    factor:
      factor === undefined ? base.factor : reader.check('factor', factor, (n) => n >= 1, 'a number of at least 1'),
    maxDelay: reader.duration('maxDelay', base.maxDelay),
    jitter: resolveJitter(reader, base.jitter),
    // Nothing is lost by one attempt more, so an unclear answer of the user's function never ends a job.
    retryOn: resolveErrors(reader, 'retryOn', { base: base.retryOn, mayBeEmpty: false, whenUnclear: true }),
    giveUpOn: resolveErrors(reader, 'giveUpOn', { base: base.giveUpOn, mayBeEmpty: true, whenUnclear: false }),
    maxElapsed: maxElapsed === undefined ? base.maxElapsed : maxElapsed || undefined,
  });
}

/**
 * Refuses a policy whose first wait `maxDelay` would cut without a word. Not a part of {@link resolveRetry}, because what a
 * task leaves out depends on its queue: a policy that is wrong in a queue which the task never goes to is no mistake.
 *
 * @throws {@link InvalidJobsOptionsError}
 * @internal
 */
export function assertRetryWaits({ delay, maxDelay }: ResolvedRetryPolicy, path: string): void {
  if (delay <= maxDelay) return;
  const expected = `at most \`maxDelay\`, which is ${maxDelay} ms there; set \`maxDelay\` beside it, or a shorter \`delay\``;
  throw new InvalidJobsOptionsError(`${path}.delay`, expected, delay);
}

/**
 * Lays a time limit over another one, checked. Of the one that is laid over nothing stays that does not fit.
 *
 * @throws {@link InvalidJobsOptionsError} for a soft limit that would never be reached, beside its hard one.
 * @internal
 */
export function resolveTimeLimit(value: unknown, path: string, base: ResolvedTimeLimit): ResolvedTimeLimit {
  if (value === false) return Object.freeze({ soft: undefined, hard: undefined });
  const reader = new OptionReader(value, path, ['soft', 'hard']);
  const soft = limitIn(reader, 'soft');
  const hard = limitIn(reader, 'hard');
  if (isNotBelow(soft, hard)) {
    const expected = `less than \`hard\`, which is ${hard} ms there; leave one of them out, or set it to false for none`;
    throw new InvalidJobsOptionsError(reader.at('soft'), expected, reader.raw('soft'));
  }
  return Object.freeze(soft === undefined ? limitUnder(hard, base) : limitAbove(soft, hard, base));
}

/** Milliseconds, false for none, undefined when it is left to the layers below. */
function limitIn(reader: OptionReader, key: 'soft' | 'hard'): number | false | undefined {
  const value = reader.raw(key);
  return value === undefined || value === false ? value : reader.duration(key, 0);
}

function limitUnder(hard: number | false | undefined, base: ResolvedTimeLimit): ResolvedTimeLimit {
  if (hard === undefined) return base;
  if (!base.softFollows && !isNotBelow(base.soft, hard)) return { soft: base.soft, hard: hard || undefined };
  return {
    soft: hard === false ? undefined : Math.floor(hard * SOFT_SHARE),
    hard: hard || undefined,
    softFollows: true,
  };
}

function limitAbove(
  soft: number | false,
  hard: number | false | undefined,
  base: ResolvedTimeLimit,
): ResolvedTimeLimit {
  if (hard !== undefined) return { soft: soft || undefined, hard: hard || undefined };
  if (!isNotBelow(soft, base.hard)) return { soft: soft || undefined, hard: base.hard };
  const fitting = Math.min(Math.ceil((soft as number) / SOFT_SHARE), LONGEST_TIMER);
  // Above the longest of all there is none.
  return { soft: soft || undefined, hard: isNotBelow(soft, fitting) ? undefined : fitting };
}

function isNotBelow(soft: number | false | undefined, hard: number | false | undefined): boolean {
  return typeof soft === 'number' && typeof hard === 'number' && soft >= hard;
}

function resolveJitter(reader: OptionReader, fallback: number): number {
  const jitter = reader.raw('jitter');
  if (jitter === undefined) return fallback;
  if (jitter === 'none') return 0;
  if (jitter === 'full') return 1;
  return reader.check('jitter', jitter, (n) => n >= 0 && n <= 1, "'none', 'full' or a number from 0 to 1");
}

interface ErrorsSettings {
  readonly base: ErrorRule | undefined;
  readonly mayBeEmpty: boolean;
  readonly whenUnclear: boolean;
}

function resolveErrors(
  reader: OptionReader,
  key: 'retryOn' | 'giveUpOn',
  { base, mayBeEmpty, whenUnclear }: ErrorsSettings,
): ErrorRule | undefined {
  const value = reader.raw(key);
  if (value === undefined) return base;
  const path = reader.at(key);
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) {
    if (mayBeEmpty) return undefined;
    throw new InvalidJobsOptionsError(path, `${ERROR_MATCH_RULE} with at least one of them`, value);
  }
  const matches = list.map((match, n) => {
    if (isErrorMatch(match)) return match;
    throw new InvalidJobsOptionsError(Array.isArray(value) ? `${path}[${n}]` : path, ERROR_MATCH_RULE, match);
  });
  return errorRule(matches, path, whenUnclear);
}
