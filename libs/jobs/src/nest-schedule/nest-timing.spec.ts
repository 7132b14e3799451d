import { CronTime } from 'cron';
import { FireTimes } from '../schedule/fire-times.js';
import { isOnce } from '../schedule/once.js';
import { InvalidScheduleError } from '../schedule/schedule.errors.js';
import { nestTiming } from './nest-timing.js';

const PLACE = '@Cron of Clocks.tick in AppModule';
const cron = (cronTime: unknown, options: object = { timeZone: 'UTC' }) =>
  nestTiming({ kind: 'cron', name: undefined, cron: { cronTime, ...options } }, PLACE);

describe('the times of @nestjs/schedule', () => {
  it.each([
    '* * * * *',
    '30 2 * * 1-5',
    '*/15 * * * * *',
    '@secondly',
    '@minutely',
    '@weekdays',
    '@weekends',
    '@daily',
    '0 0 1 * 0-6',
    '0 0 1 * */1',
    '0 0 1-31 * 1',
    '0 0 13 * fri',
    '5/10 4 * jan,MAR *',
    '0 0 * * 7',
  ])('of %s are those that the package has', (expression) => {
    const { timing } = cron(expression);
    const theirs = new CronTime(expression, 'UTC').sendAt(5) as { toMillis(): number }[];
    const times = new FireTimes(timing);
    expect(times.between(theirs[0]!.toMillis() - 1, Infinity, 5)).toEqual(theirs.map((time) => time.toMillis()));
  });

  const local = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  it.each([
    [{}, { zone: local }],
    [{ timeZone: 'local' }, { zone: local }],
    [{ timeZone: 'Europe/Berlin' }, { zone: 'Europe/Berlin' }],
    [{ timeZone: 'UTC+2' }, { offset: 120 }],
    [{ timeZone: 'UTC-3:30' }, { offset: -210 }],
    [{ utcOffset: 0 }, { offset: 0 }],
  ])('in %j are in %j', (options, expected) => {
    expect(cron('0 6 * * *', options).timing).toEqual({ cron: '0 6 * * *', ...expected });
  });

  it('of a Date are one', () => {
    const at = new Date('2031-05-01T10:00:00Z');
    const once = cron(at);
    expect(isOnce(once)).toBe(true);
    const times = new FireTimes(once.timing, once);
    expect(times.between(0, Infinity, 3)).toEqual([at.getTime()]);
    expect(times.lastUntil(at.getTime() - 1)).toBeUndefined();
    expect(times.lastUntil(Infinity)).toBe(at.getTime());
  });

  it('of a timeout are counted from the start', () => {
    expect(nestTiming({ kind: 'timeout', name: 'x', ms: 5_000 }, PLACE)).toMatchObject({ delay: 5_000 });
    expect(() => nestTiming({ kind: 'timeout', name: 'x', ms: 2 ** 31 }, PLACE)).toThrow(InvalidScheduleError);
  });

  it.each(['', 'L * * * * * *', '61 * * * *'])('of %j are none', (expression) => {
    expect(() => cron(expression)).toThrow(PLACE);
  });
});
