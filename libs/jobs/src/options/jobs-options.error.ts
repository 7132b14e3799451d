const LONGEST_SHOWN = 200;

/**
 * A module option or a task option is not what it must be. The app does not boot.
 *
 * @publicApi
 */
export class InvalidJobsOptionsError extends Error {
  override readonly name = 'InvalidJobsOptionsError';

  constructor(
    /** Where the option stands, as in `queues.bulk.concurrency`. */
    readonly path: string,
    expected: string,
    actual: unknown,
  ) {
    super(
      `nestjs-jobs: option "${path}" must be ${expected}, but is ${mayBeSecret(path) ? describeKind(actual) : describe(actual)}.`,
    );
  }
}

/**
 * Whatever stands in or for a connection may be a password, its keys too. `(all)` may be a url in the wrong place, and a
 * header may be a token.
 */
function mayBeSecret(path: string): boolean {
  return path === '(all)' || /^connection(\.|$)|(^|\.)headers(\.|$)/.test(path);
}

function describe(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  // The values of an object stay out of the message.
  if (isPlainObject(value)) return `an object with the keys ${bounded(Object.keys(value).join(', ')) || '(none)'}`;
  return typeof value === 'string' ? bounded(JSON.stringify(value)) : describeKind(value);
}

/** What a caller passed on may be of any length, and the message goes to logs and replies. */
function bounded(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}... (${text.length} characters)` : text;
}

function describeKind(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'function')
    return value === null ? 'null' : typeof value;
  if (value === '') return '""';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Date) return 'a Date';
  if (isPlainObject(value)) return `an object with ${Object.keys(value).length} keys`;
  if (typeof value === 'object') return `an instance of ${value.constructor?.name || 'an unnamed class'}`;
  return typeof value === 'boolean' ? String(value) : typeof value === 'symbol' ? 'symbol' : `a ${typeof value}`;
}

/** @internal */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Not by Object.prototype: in Jest what `fetch` and `structuredClone` give is of another realm, and has another one.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * An option that does not exist: a typing error, or one of a later version.
 *
 * @publicApi
 */
export class UnknownJobsOptionError extends Error {
  override readonly name = 'UnknownJobsOptionError';

  constructor(
    /** Where the option stands, as in `queues.bulk.concurency`. */
    readonly path: string,
    known: readonly string[],
  ) {
    super(`nestjs-jobs: there is no option "${path}". Known here: ${known.join(', ')}.`);
  }
}
