import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import { OptionReader } from '../options/option-reader.js';
import { findNotJson } from './json-check.js';

/** What `unique`, `debounce` and `throttle` come to. @internal */
export interface Uniqueness {
  readonly key: string;
  /** In milliseconds from the enqueue, when it is a number. */
  readonly until: 'started' | 'finished' | number;
  readonly onConflict: 'return' | 'replace' | 'reject';
  /** Of a debounced job: milliseconds after the last call. */
  readonly wait?: number;
  /** Of the same: milliseconds after the first call. */
  readonly maxWait?: number;
}

const LONGEST_KEY = 500;
const KEY_RULE = `text of 1 to ${LONGEST_KEY} characters, without U+0000 and half surrogate pairs`;
const LONGEST_WINDOW = 100 * 365 * 24 * 3_600_000;
const LIVES = ['started', 'finished'] as const;
const CONFLICTS = ['return', 'replace', 'reject'] as const;

const OPTIONS = ['id', 'unique', 'debounce', 'throttle'] as const;
const STARTS = ['delay', 'runAt'] as const;

/**
 * @param longest - milliseconds from now to the last date that there is.
 * @throws {@link InvalidJobsOptionsError}
 * @internal
 */
export function readUniqueness(reader: OptionReader, longest: number): Uniqueness | undefined {
  const [option, other] = OPTIONS.filter((name) => reader.raw(name) !== undefined);
  if (other !== undefined) {
    const expected = `absent beside "${option}": each of them says in its own way which calls make one job`;
    throw new InvalidJobsOptionsError(reader.at(other), expected, reader.raw(other));
  }
  if (option === 'unique') return readUnique(reader);
  if (option === 'throttle') return readThrottle(reader);
  return option === 'debounce' ? readDebounce(reader, longest) : undefined;
}

/** What BullMQ knows the key by: no task has a colon in its name. @internal */
export function engineKey(task: string, key: string): string {
  return `${task}:${key}`;
}

/** The key that {@link engineKey} made this of; undefined when it is not of this task. @internal */
export function keyOf(task: string, engineKeyText: string): string | undefined {
  const prefix = engineKey(task, '');
  return engineKeyText.startsWith(prefix) ? engineKeyText.slice(prefix.length) : undefined;
}

function readUnique(options: OptionReader): Uniqueness {
  const expected = "an object like { key: 'report-7' }";
  const reader = OptionReader.of(options.raw('unique'), options.at('unique'), ['key', 'until', 'onConflict'], expected);
  const { onConflict = 'return' } = { onConflict: reader.raw('onConflict') };
  if (!isAmong(onConflict, CONFLICTS)) {
    throw new InvalidJobsOptionsError(reader.at('onConflict'), "'return', 'replace' or 'reject'", onConflict);
  }
  return { key: readKey(reader), until: readUntil(reader), onConflict };
}

function readUntil(reader: OptionReader): Uniqueness['until'] {
  const { until = 'finished' } = { until: reader.raw('until') };
  if (isAmong(until, LIVES)) return until;
  const expected = "'started', 'finished', or a duration above zero: milliseconds or a string like '10m'";
  try {
    return windowOf(reader, 'until');
  } catch (error) {
    if (!(error instanceof InvalidJobsOptionsError)) throw error;
    throw new InvalidJobsOptionsError(reader.at('until'), expected, until);
  }
}

function readThrottle(options: OptionReader): Uniqueness {
  const expected = "an object like { key: 'feed-7', every: '10m' }";
  const reader = OptionReader.of(options.raw('throttle'), options.at('throttle'), ['key', 'every'], expected);
  return { key: readKey(reader), until: windowOf(reader, 'every'), onConflict: 'return' };
}

function readDebounce(options: OptionReader, longest: number): Uniqueness {
  const start = STARTS.find((name) => options.raw(name) !== undefined);
  if (start !== undefined) {
    const expected = 'absent beside "debounce", whose "wait" says when the job runs';
    throw new InvalidJobsOptionsError(options.at(start), expected, options.raw(start));
  }
  const expected = "an object like { key: 'shop-7', wait: '5s' }";
  const keys = ['key', 'wait', 'maxWait'];
  const reader = OptionReader.of(options.raw('debounce'), options.at('debounce'), keys, expected);
  const key = readKey(reader);
  const wait = wholeDuration(reader, 'wait', longest);
  if (reader.raw('maxWait') === undefined) return { key, until: 'started', onConflict: 'replace', wait };
  const maxWait = wholeDuration(reader, 'maxWait', longest);
  if (maxWait < wait) {
    throw new InvalidJobsOptionsError(reader.at('maxWait'), 'at least as long as "wait"', reader.raw('maxWait'));
  }
  return { key, until: 'started', onConflict: 'replace', wait, maxWait };
}

function readKey(reader: OptionReader): string {
  const key = reader.raw('key');
  const isKey = typeof key === 'string' && key.trim() !== '' && key.length <= LONGEST_KEY && !findNotJson(key);
  if (!isKey) throw new InvalidJobsOptionsError(reader.at('key'), KEY_RULE, key);
  return key;
}

function windowOf(reader: OptionReader, name: string): number {
  return wholeDuration(reader, name, LONGEST_WINDOW);
}

/** Must be there, and is not rounded to nothing: the store takes no window of 0 ms. */
function wholeDuration(reader: OptionReader, name: string, longest: number): number {
  if (reader.raw(name) === undefined) {
    const expected = "a duration above zero: milliseconds or a string like '10m'";
    throw new InvalidJobsOptionsError(reader.at(name), expected, undefined);
  }
  return Math.ceil(reader.duration(name, 0, longest));
}

function isAmong<T extends string>(value: unknown, names: readonly T[]): value is T {
  return (names as readonly unknown[]).includes(value);
}
