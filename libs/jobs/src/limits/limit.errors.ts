/**
 * A limit did not let the caller through within the time that it would wait. Nothing was done, and nothing is counted.
 *
 * @publicApi
 */
export class RateLimitedError extends Error {
  override readonly name = 'RateLimitedError';

  constructor(
    /** The name of the limit. */
    readonly limit: string,
    /** Whose part of the limit; '' where it has but one. */
    readonly key: string,
    /** After how many milliseconds it is worth to come again. */
    readonly retryAfter: number,
  ) {
    const of = key === '' ? '' : ` for "${key}"`;
    super(
      `nestjs-jobs: the rate limit "${limit}" is used up${of}. ` +
        `Try again in ${retryAfter} ms, or wait for longer (maxWait).`,
    );
  }
}
