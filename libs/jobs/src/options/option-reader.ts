import bytes from 'bytes';
import ms from 'ms';
import { InvalidJobsOptionsError, UnknownJobsOptionError } from './jobs-options.error.js';

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
      if (!knownKeys.includes(key)) throw new UnknownJobsOptionError(this.at(key), knownKeys);
    }
  }

  at(key: string): string {
    return this.path ? `${this.path}.${key}` : key;
  }

  raw(key: string): unknown {
    return this.values[key];
  }

  duration(key: string, fallback: number): number {
    const value = this.values[key];
    if (value === undefined) return fallback;
    const parsed = typeof value === 'string' && value !== '' ? ms(value as ms.StringValue) : value;
    return this.check(key, parsed, isPositive, "a duration above zero: milliseconds or a string like '10m'");
  }

  byteSize(key: string, fallback: number): number {
    const value = this.values[key];
    if (value === undefined) return fallback;
    const parsed = typeof value === 'string' ? bytes.parse(value) : value;
    return this.check(key, parsed, isPositive, "a size above zero: bytes or a string like '64kb'");
  }

  count(key: string, fallback: number): number {
    const value = this.values[key];
    if (value === undefined) return fallback;
    return this.check(key, value, (n) => Number.isInteger(n) && n > 0, 'a whole number above zero');
  }

  text(key: string, fallback: string, pattern: RegExp, expected: string): string {
    const value = this.values[key];
    if (value === undefined) return fallback;
    if (typeof value !== 'string' || !pattern.test(value))
      throw new InvalidJobsOptionsError(this.at(key), expected, value);
    return value;
  }

  check(key: string, value: unknown, holds: (n: number) => boolean, expected: string): number {
    if (typeof value !== 'number' || !holds(value)) {
      throw new InvalidJobsOptionsError(this.at(key), expected, this.values[key]);
    }
    return value;
  }
}

function isPositive(n: number): boolean {
  return Number.isFinite(n) && n > 0;
}

/** @internal */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
