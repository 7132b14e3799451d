const SECOND = 1_000;
/** The other side decides it, so it must not be able to put a job off for years. */
const LONGEST = 24 * 3_600 * SECOND;
/** As HTTP writes a date, in the two forms that name a zone. `Date.parse` alone takes nearly anything for one. */
const HTTP_DATE = /^[A-Z][a-z]{2,8}, .+ GMT$/;

/**
 * Milliseconds of the value of a Retry-After header, seconds or a date, at most a day; undefined when it is neither.
 *
 * @internal
 */
export function readRetryAfter(header: string, now = Date.now()): number | undefined {
  const value = header.trim();
  if (/^\d+$/.test(value)) return bounded(Number(value) * SECOND);
  const time = HTTP_DATE.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : bounded(time - now);
}

/**
 * Milliseconds for which an error itself asks, at most a day. Its `retryAfter` is a number of milliseconds, or a string
 * that is the value of a Retry-After header; anything else is none.
 *
 * @internal
 */
export function retryAfterOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  try {
    const { retryAfter } = error as { retryAfter?: unknown };
    if (typeof retryAfter === 'string') return readRetryAfter(retryAfter);
    return typeof retryAfter === 'number' && retryAfter >= 0 ? bounded(retryAfter) : undefined;
  } catch {
    // A getter may throw, and so may a proxy.
    return undefined;
  }
}

function bounded(milliseconds: number): number {
  return Math.round(Math.min(Math.max(milliseconds, 0), LONGEST));
}
