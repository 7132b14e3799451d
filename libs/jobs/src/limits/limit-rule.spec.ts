import { InvalidArgumentError } from '../client/invalid-argument.error.js';
import { formatLimit, requireCost, resolveLimitChange, resolveLimitRule, type RateLimitRule } from './limit-rule.js';

const WHAT = 'the limit of mails';

describe('the rule of a limit', () => {
  it.each([
    ['100/m', 100, 60_000],
    ['1/ms', 1, 1],
    ['10/s', 10, 1_000],
    ['7/h', 7, 3_600_000],
    ['2/d', 2, 86_400_000],
    ['5/500ms', 5, 500],
    ['5/10s', 5, 10_000],
    [' 5 / 1.5m ', 5, 90_000],
    ['1000000/31d', 1_000_000, 31 * 86_400_000],
  ])('[L1] reads %p', (limit, count, period) => {
    expect(resolveLimitRule(WHAT, { limit })).toEqual({
      limit: count,
      period,
      burst: count,
      algorithm: 'token-bucket',
    });
    expect(resolveLimitChange(WHAT, limit)).toEqual({ limit: count, period });
  });

  it.each([
    '',
    '100',
    '/m',
    '100/',
    '100/10',
    '-1/s',
    '1.5/s',
    '1e3/s',
    '1000001/s',
    '99999999999999999/s',
    '1/32d',
    '1/0.1ms',
    '1/0s',
    '1/-1s',
    '1/fortnight',
    '1/toString',
    `1/${'s'.repeat(200)}`,
  ])('[L1] refuses %p', (limit) => {
    expect(() => resolveLimitRule(WHAT, { limit })).toThrow(InvalidArgumentError);
    expect(() => resolveLimitRule(WHAT, { limit })).toThrow(
      /the limit of mails must be a number from 1 to 1000000 per ms, s, m, h, d or duration.*'100\/m'.*but is /,
    );
  });

  it.each([undefined, null, 5, {}])('[L1] refuses %p, which is no text', (limit) => {
    expect(() => resolveLimitRule(WHAT, { limit: limit as never })).toThrow(InvalidArgumentError);
  });

  it('[L1] refuses a limit of zero, and names what stops for a time', () => {
    expect(() => resolveLimitChange(WHAT, '0/s')).toThrow(
      'the limit of mails must be above zero; jobs.limits.pause stops what runs under it for a time, but is "0/s"',
    );
  });

  it('[L3] takes burst and algorithm, and refuses odd ones', () => {
    const rule: RateLimitRule = { limit: '10/s', burst: 3, algorithm: 'sliding-window' };
    expect(resolveLimitRule(WHAT, rule)).toEqual({ limit: 10, period: 1_000, burst: 3, algorithm: 'sliding-window' });
    for (const burst of [0, -1, 1.5, NaN, 1_000_001, '3' as never]) {
      expect(() => resolveLimitRule(WHAT, { ...rule, burst })).toThrow(
        /the burst of the limit of mails must be a whole/,
      );
    }
    expect(() => resolveLimitRule(WHAT, { ...rule, algorithm: 'leaky' as never })).toThrow(
      /the algorithm of the limit of mails must be one of token-bucket, fixed-window, sliding-window, but is "leaky"/,
    );
  });

  it('[L2] takes of a change what it says, and nothing else', () => {
    expect(resolveLimitChange(WHAT, { limit: '1/s', burst: 1 })).toEqual({ limit: 1, period: 1_000, burst: 1 });
    expect(() => resolveLimitChange(WHAT, { limit: '1/s', brust: 1 } as never)).toThrow(
      /must be of limit, burst, algorithm only, but is "brust"/,
    );
    for (const odd of [undefined, null, 7, ['1/s'], new Date()]) {
      expect(() => resolveLimitChange(WHAT, odd as never)).toThrow(/or an object like \{ limit: '10\/s' \}, but is/);
    }
  });

  it('[L1] refuses a cost that can never be granted', () => {
    const bucket = resolveLimitRule(WHAT, { limit: '10/s', burst: 3 });
    const window = resolveLimitRule(WHAT, { limit: '10/s', algorithm: 'fixed-window' });
    expect(requireCost('the cost', 3, bucket)).toBe(3);
    expect(requireCost('the cost', 10, window)).toBe(10);
    expect(() => requireCost('the cost', 4, bucket)).toThrow(/the cost must be a whole number from 1 to 3, its burst/);
    expect(() => requireCost('the cost', 11, window)).toThrow(/from 1 to 10, its limit: more could never be granted/);
    for (const cost of [0, -1, 0.5, NaN, Infinity, '1' as never]) {
      expect(() => requireCost('the cost', cost, window)).toThrow(InvalidArgumentError);
    }
  });

  it.each(['100/m', '1/ms', '5/500ms', '5/10s', '5/90s', '2/d', '3/36h'])('[L2] writes %p as it was', (limit) => {
    expect(formatLimit(resolveLimitRule(WHAT, { limit }))).toBe(limit);
  });
});
