import type { Duration } from '../options/jobs-options.js';
import { isPlainObject } from '../options/jobs-options.error.js';
import { parseDuration } from '../options/option-reader.js';
import { findNotJson } from './json-check.js';

/** The last time that a Date can be. */
const LATEST = 8.64e15;
const LONGEST_REASON = 500;

/**
 * A method of a {@link JobHandle} or a {@link JobContext}, or one of the exceptions that a task ends with, was given
 * something that it does not take. Nothing was done.
 *
 * @publicApi
 */
export class InvalidArgumentError extends TypeError {
  override readonly name = 'InvalidArgumentError';

  /** @internal */
  constructor(what: string, expected: string, found: string) {
    super(`nestjs-jobs: ${what} must be ${expected}, but ${found}.`);
  }
}

/** @internal */
export function invalidArgument(what: string, expected: string, actual: unknown): InvalidArgumentError {
  return new InvalidArgumentError(what, expected, `is ${describe(actual)}`);
}

/** Text that every backend can store. @internal */
export function requireText(what: string, value: unknown, maxLength: number): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= maxLength && !findNotJson(value)) {
    return value;
  }
  const expected = `text of 1 to ${maxLength} characters, without U+0000 and half surrogate pairs`;
  throw invalidArgument(what, expected, value);
}

/** Of a cancellation. @internal */
export function requireReason(reason: string | undefined): string | undefined {
  return reason === undefined ? undefined : requireText('the reason of a cancellation', reason, LONGEST_REASON);
}

/** @internal */
export function requireJson<T>(what: string, value: T): T {
  const notJson = findNotJson(value);
  if (!notJson) return value;
  throw new InvalidArgumentError(what, 'JSON', `${notJson.path} is ${notJson.found}`);
}

/** Whole milliseconds of a duration that may be zero. @internal */
export function requireDuration(what: string, value: Duration): number {
  const parsed = parseDuration(value);
  if (parsed !== undefined && parsed >= 0 && parsed <= LATEST - Date.now()) return Math.round(parsed);
  throw invalidArgument(what, "a duration from zero: milliseconds or a string like '30s'", value);
}

function describe(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 60 ? `a string of ${value.length} characters` : JSON.stringify(value);
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return isPlainObject(value) ? 'an object' : `an instance of ${value.constructor?.name || 'an unnamed class'}`;
}
