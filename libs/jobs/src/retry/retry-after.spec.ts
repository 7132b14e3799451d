import { readRetryAfter, retryAfterOf } from './retry-after.js';

const NOW = Date.UTC(2026, 0, 15, 12, 0, 0);
const DAY = 86_400_000;

describe('the value of a Retry-After header', () => {
  it.each<[string, number | undefined]>([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 15 Jan 2026 12:01:30 GMT', 90_000],
    ['Thursday, 15-Jan-26 12:01:30 GMT', 90_000],
    ['Thu, 15 Jan 2026 11:00:00 GMT', 0],
    ['999999999999999999999', DAY],
    ['Fri, 15 Jan 2100 12:00:00 GMT', DAY],
    ['', undefined],
    ['soon', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['2026', 2_026_000],
    ['2026-01-15', undefined],
    ['Thu, 99 Jan 2026 12:00:00 GMT', undefined],
  ])('%j is %s ms', (header, expected) => {
    expect(readRetryAfter(header, NOW)).toBe(expected);
  });
});

describe('the delay that an error carries', () => {
  const unreadable = Object.defineProperty({}, 'retryAfter', {
    get: () => {
      throw new Error('no');
    },
  });

  it.each<[string, unknown, number | undefined]>([
    ['milliseconds', { retryAfter: 1_500.4 }, 1_500],
    ['the value of a header', Object.assign(new Error('busy'), { retryAfter: '30' }), 30_000],
    ['what is no header', { retryAfter: 'soon' }, undefined],
    ['less than nothing', { retryAfter: -1 }, undefined],
    ['no number', { retryAfter: Number.NaN }, undefined],
    ['more than a day', { retryAfter: Number.POSITIVE_INFINITY }, DAY],
    ['nothing', { retryAfter: null }, undefined],
    ['a getter that throws', unreadable, undefined],
  ])('is read of %s', (_what, error, expected) => {
    expect(retryAfterOf(error)).toBe(expected);
  });

  it.each(['30', undefined, null, 7])('is none of %p thrown', (thrown) => {
    expect(retryAfterOf(thrown)).toBeUndefined();
  });
});
