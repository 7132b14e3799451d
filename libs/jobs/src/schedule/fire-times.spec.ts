import { CronExpression } from '@nestjs/schedule';
import { FireTimes, type Timing } from './fire-times.js';

const at = (iso: string): number => Date.parse(iso);
const iso = (times: readonly number[]): string[] =>
  times.map((time) => new Date(time).toISOString().replace(':00.000Z', 'Z'));
const from = (timing: Timing, start: string, count: number): string[] =>
  iso(new FireTimes(timing).between(at(start), Infinity, count));
const berlin = (cron: string): Timing => ({ cron, zone: 'Europe/Berlin' });
const newYork = (cron: string): Timing => ({ cron, zone: 'America/New_York' });
const utc = (cron: string): Timing => ({ cron, zone: 'UTC' });

describe('nominal times', () => {
  it.each<[string, Timing, string, string[]]>([
    // On 2026-03-29 the clock goes from 02:00 to 03:00 in Berlin: 02:30 is not there, and becomes the end of the gap.
    ['02:30 in the spring gap', berlin('30 2 * * *'), '2026-03-28T12:00Z', ['2026-03-29T01:00Z', '2026-03-30T00:30Z']],
    [
      'a list of hours in the gap',
      berlin('30 1,2,3 * * *'),
      '2026-03-28T12:00Z',
      ['2026-03-29T00:30Z', '2026-03-29T01:00Z', '2026-03-29T01:30Z'],
    ],
    [
      'each half hour over the gap',
      berlin('*/30 * * * *'),
      '2026-03-29T00:00Z',
      ['2026-03-29T00:30Z', '2026-03-29T01:00Z', '2026-03-29T01:30Z'],
    ],
    [
      '02:30 in New York, 2026-03-08',
      newYork('30 2 * * *'),
      '2026-03-07T12:00Z',
      ['2026-03-08T07:00Z', '2026-03-09T06:30Z'],
    ],
    // On 2026-10-25 02:00 to 03:00 comes twice in Berlin, on 2026-11-01 01:00 to 02:00 in New York.
    ['02:30 twice in autumn', berlin('30 2 * * *'), '2026-10-24T12:00Z', ['2026-10-25T00:30Z', '2026-10-26T01:30Z']],
    ['01:30 twice in New York', newYork('30 1 * * *'), '2026-10-31T12:00Z', ['2026-11-01T05:30Z', '2026-11-02T06:30Z']],
    [
      'each hour, both times',
      newYork('30 * * * *'),
      '2026-11-01T04:00Z',
      ['2026-11-01T04:30Z', '2026-11-01T05:30Z', '2026-11-01T06:30Z', '2026-11-01T07:30Z'],
    ],
    [
      'each 30 minutes, both times',
      berlin('*/30 2 * * *'),
      '2026-10-24T23:00Z',
      ['2026-10-25T00:00Z', '2026-10-25T00:30Z', '2026-10-25T01:00Z', '2026-10-25T01:30Z', '2026-10-26T01:00Z'],
    ],
    [
      'midnight on both days of the change',
      berlin('0 0 * * *'),
      '2026-10-24T12:00Z',
      ['2026-10-24T22:00Z', '2026-10-25T23:00Z'],
    ],
    ['the 29th of February', utc('0 0 29 2 *'), '2026-01-01T00:00Z', ['2028-02-29T00:00Z', '2032-02-29T00:00Z']],
    [
      'a negative offset of half an hour',
      { cron: '0 9 * * *', offset: -210 },
      '2026-02-01T00:00Z',
      ['2026-02-01T12:30Z', '2026-02-02T12:30Z'],
    ],
    [
      'an offset that knows no summer',
      { cron: '0 9 * * *', offset: 60 },
      '2026-03-28T00:00Z',
      ['2026-03-28T08:00Z', '2026-03-29T08:00Z', '2026-03-30T08:00Z'],
    ],
    ['the last day of the month', utc('0 0 L * *'), '2026-01-31T12:00Z', ['2026-02-28T00:00Z', '2026-03-31T00:00Z']],
    [
      'the working day nearest to the 15th',
      utc('0 0 15W * *'),
      '2026-08-01T00:00Z',
      ['2026-08-14T00:00Z', '2026-09-15T00:00Z'],
    ],
    ['the last working day', utc('0 0 LW * *'), '2026-01-31T00:00Z', ['2026-02-27T00:00Z']],
    ['the second Monday', utc('0 0 * * MON#2'), '2026-02-01T00:00Z', ['2026-02-09T00:00Z', '2026-03-09T00:00Z']],
    ['the last Friday', utc('0 0 * * 5L'), '2026-02-01T00:00Z', ['2026-02-27T00:00Z', '2026-03-27T00:00Z']],
    [
      'names, ranges and steps',
      utc('0 8-18/5 * JAN-MAR MON-FRI'),
      '2026-01-02T00:00Z',
      ['2026-01-02T08:00Z', '2026-01-02T13:00Z', '2026-01-02T18:00Z', '2026-01-05T08:00Z'],
    ],
    ['Sunday by 7', utc('0 0 * * 7'), '2026-02-01T12:00Z', ['2026-02-08T00:00Z']],
    [
      'a day of the month or of the week',
      utc('0 0 13 * FRI'),
      '2026-02-01T00:00Z',
      ['2026-02-06T00:00Z', '2026-02-13T00:00Z', '2026-02-20T00:00Z'],
    ],
    ['a nickname', utc('@weekly'), '2026-02-02T00:00Z', ['2026-02-08T00:00Z']],
  ])('[S1] %s', (_what, timing, start, expected) => {
    expect(from(timing, start.replace('Z', ':00Z'), expected.length)).toEqual(expected);
    // Looked at backwards they are the same, at their time and up to the moment before the next.
    const times = new FireTimes(timing);
    const own = expected.map((each) => at(each.replace('Z', ':00Z')));
    expect(iso(own.map((time) => times.lastUntil(time)!))).toEqual(expected);
    expect(iso(own.slice(1).map((time) => times.lastUntil(time - 1)!))).toEqual(expected.slice(0, -1));
  });

  it('[S1] six fields: the seconds first', () => {
    const times = new FireTimes(utc('*/20 * * * * *')).between(at('2026-02-01T00:00:05.500Z'), Infinity, 3);
    expect(times).toEqual([20, 40, 60].map((second) => at('2026-02-01T00:00:00Z') + second * 1_000));
  });

  it('[S1] every expression of @nestjs/schedule fires', () => {
    const expressions = Object.values(CronExpression);
    expect(expressions.length).toBeGreaterThan(80);
    for (const cron of expressions) expect(new FireTimes(utc(cron)).after(Date.now())).toBeGreaterThan(Date.now());
  });

  it('[S2] of an interval: its multiples, whenever anybody starts', () => {
    expect(from({ every: 300_000, from: 0 }, '2026-02-01T00:01:00Z', 2)).toEqual([
      '2026-02-01T00:05Z',
      '2026-02-01T00:10Z',
    ]);
    const odd = new FireTimes({ every: 7_000, from: 3_000 });
    expect(odd.between(0, 20_000, 9)).toEqual([3_000, 10_000, 17_000]);
    expect(odd.lastUntil(17_000)).toBe(17_000);
    expect(odd.lastUntil(16_999)).toBe(10_000);
    expect(odd.after(17_000)).toBe(24_000);
  });

  it.each<[string, Timing]>([
    ['a cron expression', utc('*/10 * * * *')],
    ['an interval', { every: 600_000, from: 0 }],
  ])('[S1] [S2] %s: the last one until a time, and those between two', (_what, timing) => {
    const times = new FireTimes(timing);
    const ten = at('2026-02-01T00:10:00Z');
    expect(times.lastUntil(ten)).toBe(ten);
    expect(times.lastUntil(ten - 1)).toBe(ten - 600_000);
    expect(times.between(ten, ten + 1_200_000, 10)).toEqual([ten + 600_000, ten + 1_200_000]);
    expect(times.between(ten, Infinity, 2)).toHaveLength(2);
  });

  it('[S3] within its first and its last time, both included', () => {
    const window = { start: at('2026-02-01T00:10:00Z'), end: at('2026-02-01T00:30:00Z') };
    const times = new FireTimes(utc('*/10 * * * *'), window);
    expect(iso(times.between(0, Infinity, 9))).toEqual(['2026-02-01T00:10Z', '2026-02-01T00:20Z', '2026-02-01T00:30Z']);
    expect(times.after(window.end)).toBeUndefined();
    expect(times.lastUntil(window.start - 1)).toBeUndefined();
    expect(times.lastUntil(window.end + 3_600_000)).toBe(window.end);
  });

  it.each(['61 * * * *', '* * *', 'never', '*/0 * * * *', '0 0 0 1 1 * 2030', ''])('[S1] %j is none', (cron) => {
    expect(() => new FireTimes(utc(cron))).toThrow('CronPattern');
  });
});
