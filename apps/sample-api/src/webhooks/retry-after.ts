const SECONDS = /^\d{1,10}$/;
/** The three forms of RFC 9110 start with a weekday's name; `Date.parse` alone would also take "1" for a date. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/**
 * Milliseconds that a Retry-After header asks for, at most `longest`; undefined when it asks for no wait or cannot be
 * read, so that the ordinary backoff holds.
 */
export function readRetryAfter(header: string | undefined, longest: number, now = Date.now()): number | undefined {
  const value = header?.trim() ?? '';
  let wait = Number.NaN;
  if (SECONDS.test(value)) wait = Number(value) * 1_000;
  else if (HTTP_DATE.test(value)) wait = Date.parse(value) - now;
  return wait > 0 ? Math.min(wait, longest) : undefined;
}
