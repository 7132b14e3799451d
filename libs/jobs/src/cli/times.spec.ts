import { ageOf, counted, timeFrom, timeOf } from './times.js';

const NOW = Date.parse('2026-11-22T12:00:00.000Z');
const after = (milliseconds: number): string => new Date(NOW + milliseconds).toISOString();

describe('times on the command line', () => {
  it.each([
    [-90_000, / \(2m ago\)$/],
    [3_600_000, / \(in 1h\)$/],
    [-3 * 24 * 3_600_000, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/],
  ])('shows one that is %d ms away', (distance, shown) => {
    expect(timeOf(after(distance), NOW)).toMatch(shown);
  });

  it('shows none where there is none', () => {
    expect([timeOf(undefined), ageOf(undefined)]).toEqual([undefined, undefined]);
  });

  it('tells an age, and none below zero when clocks differ', () => {
    expect([ageOf(after(-5_000), NOW), ageOf(after(5_000), NOW)]).toEqual(['5s', '0ms']);
  });

  it.each([
    ['2h', after(-7_200_000)],
    ['1.5d', after(-36 * 3_600_000)],
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'],
    ['yesterday', 'yesterday'],
  ])('reads %j as a time', (text, time) => {
    expect(timeFrom(text, NOW)).toBe(time);
  });

  it('counts things', () => {
    expect([counted(1, 'job'), counted(0, 'job'), counted(2, 'process', 'processes')]).toEqual([
      '1 job',
      '0 jobs',
      '2 processes',
    ]);
  });
});
