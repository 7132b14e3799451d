import type { ResolvedTimeLimit } from '../execution/time-limit.js';
import { ERROR_MATCH_RULE, errorRule, isErrorMatch, type ErrorRule } from '../retry/error-match.js';
import type { ResolvedRetryPolicy } from '../retry/retry-policy.js';
import { InvalidJobsOptionsError } from './jobs-options.error.js';
import { OptionReader } from './option-reader.js';

/** What the column of SQL stores that holds it. */
const MOST_ATTEMPTS = 2 ** 31 - 1;
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

/** Lays a time limit over another one, checked but for what {@link assertTimeLimit} looks at. @internal */
export function resolveTimeLimit(value: unknown, path: string, base: ResolvedTimeLimit): ResolvedTimeLimit {
  if (value === false) return Object.freeze({ soft: undefined, hard: undefined });
  const reader = new OptionReader(value, path, ['soft', 'hard']);
  return Object.freeze({ soft: limitIn(reader, 'soft', base.soft), hard: limitIn(reader, 'hard', base.hard) });
}

function limitIn(reader: OptionReader, key: 'soft' | 'hard', base: number | undefined): number | undefined {
  const value = reader.raw(key);
  if (value === false) return undefined;
  return value === undefined ? base : reader.duration(key, 0);
}

/**
 * Refuses a soft limit that would never be reached. Like {@link assertRetryWaits} it looks at what a task comes to in the
 * queue that it goes to.
 *
 * @throws {@link InvalidJobsOptionsError}
 * @internal
 */
export function assertTimeLimit({ soft, hard }: ResolvedTimeLimit, path: string): void {
  if (soft === undefined || hard === undefined || soft < hard) return;
  const expected = `less than \`hard\`, which is ${hard} ms there; set both, or one of them to false for none`;
  throw new InvalidJobsOptionsError(`${path}.soft`, expected, soft);
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
