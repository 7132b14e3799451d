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
    super(`nestjs-jobs: option "${path}" must be ${expected}, but is ${describe(actual)}.`);
  }
}

function describe(value: unknown): string {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol') return typeof value;
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  // The values of an object stay out of the message: a connection's hold passwords.
  if (typeof value === 'object' && value !== null)
    return `an object with the keys ${Object.keys(value).join(', ') || '(none)'}`;
  return JSON.stringify(value);
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
