import { nextTimes, type ScheduleTimes } from './next-times.js';
import { InvalidScheduleError } from './schedule.errors.js';

const isoOf = (times: Date[]): string[] => times.map((time) => time.toISOString());

function problemOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof InvalidScheduleError) return error.problem;
    throw error;
  }
  return 'none';
}

describe('nextTimes', () => {
  it('gives the times after one, in the zone', () => {
    const times = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
    expect(isoOf(nextTimes(times, { count: 2, after: '2026-10-24T12:00:00Z' }))).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
    expect(isoOf(nextTimes({ every: '20m' }, { count: 2, after: new Date('2026-10-24T12:20:00Z') }))).toEqual([
      '2026-10-24T12:40:00.000Z',
      '2026-10-24T13:00:00.000Z',
    ]);
  });

  it('gives five from now when it is not told more', () => {
    const now = Date.now();
    const times = nextTimes({ cron: '* * * * * *' });
    expect(times).toHaveLength(5);
    expect(times[0]!.getTime()).toBeGreaterThan(now);
  });

  it.each<[object, string]>([
    [{ cron: '61 * * * *' }, 'has no cron expression in "61 * * * *": invalid value for minute: 61.'],
    [
      { cron: '* * * *' },
      'has no cron expression in "* * * *": it must have five fields, or six with the seconds first.',
    ],
    [{ cron: '' }, 'has no cron expression in "": it must have five fields, or six with the seconds first.'],
    [{ cron: '0 0 0 1 1 * 2030' }, 'it must have five fields, or six with the seconds first.'],
    [{ cron: '2030-12-24T18:00:00Z' }, 'it is a date. For one time say { runAt } to enqueue()'],
    [{ cron: '0 0 31 2 *' }, 'never fires: no day is one of "0 0 31 2 *". Mend the expression.'],
    [{ cron: '0 6 * * *', timeZone: 'Mars/Olympus' }, 'must have an IANA zone as "timeZone", as in'],
    [{}, 'must have "cron" or "every", one of the two.'],
    [{ every: '10ms' }, 'must have an interval from 1 second to 366 days'],
    [{ crom: '0 6 * * *' }, 'has no option "crom". Known here: cron, every, timeZone, utcOffset.'],
  ])('refuses %j', (times: ScheduleTimes, problem) => {
    expect(problemOf(() => nextTimes(times))).toContain(problem);
  });

  it.each([0, 1.5, 1_001, Number.NaN])('refuses a count of %s', (count) => {
    expect(problemOf(() => nextTimes({ every: '1h' }, { count }))).toContain('must have a "count" from 1 to 1000');
  });

  it('refuses a time that is none', () => {
    expect(problemOf(() => nextTimes({ every: '1h' }, { after: 'tomorrow' }))).toContain('ISO-8601 with a zone');
  });
});
