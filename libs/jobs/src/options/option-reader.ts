import bytes from 'bytes';
import ms from 'ms';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { InvalidJobsOptionsError, isPlainObject, UnknownJobsOptionError } from './jobs-options.error.js';

export { isPlainObject } from './jobs-options.error.js';

/** Beyond it (ms), Node's timers fire at once. @internal */
export const LONGEST_TIMER = 2 ** 31 - 1;
/** The store measures it, not a timer. @internal */
export const LONGEST_EXPIRY = 100 * 365 * 24 * 3_600_000;
/** Without `_`, which ends the queue's part of a job's id. @internal */
export const QUEUE_NAME = /^[a-z][a-z0-9-]*$/;
const BYTE_SIZE = /^\d+(\.\d+)?\s*(b|kb|mb|gb)$/i;

/** Reads one object of options, each with its path, so that every complaint names the option. @internal */
export class OptionReader {
  private readonly values: Record<string, unknown>;

  constructor(
    value: unknown,
    private readonly path: string,
    knownKeys: readonly string[],
  ) {
    if (value !== undefined && !isPlainObject(value))
      throw new InvalidJobsOptionsError(path || '(all)', 'an object', value);
    this.values = value ?? {};
    for (const key of Object.keys(this.values)) {
      if (knownKeys.includes(key)) continue;
      // A url in the wrong place would be shown as a key.
      throw path.startsWith('connection')
        ? new InvalidJobsOptionsError(path, `an object with no keys but ${knownKeys.join(', ')}`, value)
        : new UnknownJobsOptionError(this.at(key), knownKeys);
    }
  }

  /** Where undefined is no object either; `expected` says what is one. */
  static of(value: unknown, path: string, knownKeys: readonly string[], expected: string): OptionReader {
    if (!isPlainObject(value)) throw new InvalidJobsOptionsError(path, expected, value);
    return new OptionReader(value, path, knownKeys);
  }

  at(key: string): string {
    return this.path ? `${this.path}.${key}` : key;
  }

  all(): Readonly<Record<string, unknown>> {
    return this.values;
  }

  raw(key: string): unknown {
    return this.values[key];
  }

  /** `longest` has a default for durations that a timer of Node measures. */
  duration(key: string, fallback: number, longest: number = LONGEST_TIMER): number {
    const value = this.values[key];
    if (value === undefined) return fallback;
    const parsed = this.check(
      key,
      parseDuration(value),
      isPositive,
      "a duration above zero: milliseconds or a string like '10m'",
    );
    return this.check(key, parsed, (n) => n <= longest, `a duration of at most ${longest} ms`);
  }

  byteSize(key: string, fallback: number): number {
    const value = this.values[key];
    if (value === undefined) return fallback;
    const parsed = typeof value === 'string' ? BYTE_SIZE.test(value) && bytes.parse(value) : value;
    return this.check(key, parsed, isPositive, "a size above zero: bytes or a string like '64kb'");
  }

  count(key: string, fallback: number, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.values[key];
    if (value === undefined) return fallback;
    const count = this.check(key, value, (n) => Number.isInteger(n) && n > 0, 'a whole number above zero');
    return this.check(key, count, (n) => n <= most, `a whole number of at most ${most}`);
  }

  text(key: string, fallback: string, pattern: RegExp, expected: string): string {
    const value = this.values[key];
    if (value === undefined) return fallback;
    if (typeof value !== 'string' || !pattern.test(value))
      throw new InvalidJobsOptionsError(this.at(key), expected, value);
    return value;
  }

  flag(key: string): boolean | undefined {
    const value = this.values[key];
    if (value === undefined || typeof value === 'boolean') return value;
    throw new InvalidJobsOptionsError(this.at(key), 'true or false', value);
  }

  /** On Celery's scale. */
  priority(key: string): number | undefined {
    const value = this.values[key];
    if (value === undefined) return undefined;
    return this.check(key, value, (n) => Number.isInteger(n) && n >= 0 && n <= 9, 'a whole number from 0 to 9');
  }

  /** Milliseconds, or false for a time without end. */
  expiry(key: string): number | false | undefined {
    const value = this.values[key];
    if (value === undefined || value === false) return value;
    const expected = "a duration above zero (milliseconds or a string like '10m'), or false for no end";
    const parsed = this.check(key, parseDuration(value), isPositive, expected);
    return Math.round(this.check(key, parsed, (n) => n <= LONGEST_EXPIRY, 'a duration of at most a hundred years'));
  }

  declaredQueue(key: string, queues: ReadonlyMap<string, unknown>): string | undefined {
    const value = this.values[key];
    if (value !== undefined) assertDeclaredQueue(value, this.at(key), queues);
    return value;
  }

  check(key: string, value: unknown, holds: (n: number) => boolean, expected: string): number {
    if (typeof value !== 'number' || !holds(value)) {
      throw new InvalidJobsOptionsError(this.at(key), expected, this.values[key]);
    }
    return value;
  }
}

/** @internal */
export function assertDeclaredQueue(
  value: unknown,
  path: string,
  queues: ReadonlyMap<string, unknown>,
): asserts value is string {
  // The library's own is among them, and not for the app's jobs.
  const names = [...queues.keys()].filter((name) => name !== INTERNAL_QUEUE);
  if (names.includes(value as string)) return;
  const declared = `a declared queue (${names.join(', ')})`;
  // What could not be one needs no advice on how to declare it.
  const isName = typeof value === 'string' && QUEUE_NAME.test(value);
  const fix = isName ? `; declare it with JobsModule.forRoot({ queues: { '${value}': {} } })` : '';
  throw new InvalidJobsOptionsError(path, declared + fix, value);
}

function isPositive(n: number): boolean {
  return Number.isFinite(n) && n > 0;
}

/** Milliseconds of a duration as options take it; undefined when it is none. @internal */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value !== 'string') return typeof value === 'number' ? value : undefined;
  // Of what is longer or empty, ms throws.
  return value.length > 0 && value.length <= 100 ? ms(value as ms.StringValue) : undefined;
}
