import { readRetryAfter } from './retry-after.js';

const NOW = Date.parse('2025-10-21T07:28:00Z');
const LONGEST = 600_000;

describe('readRetryAfter', () => {
  it.each([
    ['1', 1_000],
    [' 120 ', 120_000],
    ['Tue, 21 Oct 2025 07:30:00 GMT', 120_000],
    ['Tuesday, 21-Oct-25 07:30:00 GMT', 120_000],
    ['86400', LONGEST],
    ['9999999999', LONGEST],
    ['Wed, 21 Oct 2065 07:28:00 GMT', LONGEST],
  ])('reads %j', (header, wait) => {
    expect(readRetryAfter(header, LONGEST, NOW)).toBe(wait);
  });

  it.each([
    undefined,
    '',
    '0',
    '-5',
    '1.5',
    '1e3',
    '99999999999',
    'soon',
    '2025-10-21',
    'Tuesday',
    'Tue, 21 Oct 2025 07:28:00 GMT',
  ])('leaves %j to the backoff', (header) => {
    expect(readRetryAfter(header, LONGEST, NOW)).toBeUndefined();
  });
});
