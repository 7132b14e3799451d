import { BadRequestException } from '@nestjs/common';
import { validated } from '../http/validated.js';
import { describeCron } from './cron-description.js';
import { scheduleRequestSchema } from './schedule-request.js';

const MINUTE = 60_000;
const report = { dataset: 'airports', groupBy: 'state', measure: 'latitude' };

function complaints(request: object, minInterval = MINUTE): unknown {
  try {
    validated(scheduleRequestSchema(['airports'], minInterval), request);
  } catch (error) {
    return error instanceof BadRequestException ? (error.getResponse() as { message: unknown }).message : error;
  }
  return undefined;
}

describe('a request for a schedule', () => {
  it('is taken as it is when it is right; UTC is the zone of one that has none', () => {
    const request = { cron: ' 0 6 * * MON-FRI ', ...report };
    expect(validated(scheduleRequestSchema(['airports'], MINUTE), request)).toEqual({
      ...report,
      cron: '0 6 * * MON-FRI',
      timeZone: 'UTC',
    });
  });

  it.each([
    ['* * * * * *', 1],
    ['*/20 * * * * *', 20],
    ['0,59 0 1 1 * *', 59],
    ['0,59 9-10 * * MON', undefined],
    ['* * * * *', undefined],
  ])('with times that are too near is told how near: %s', (cron, seconds) => {
    expect(complaints({ cron, ...report })).toEqual(
      seconds && [
        `The schedule fires every ${seconds} s at its busiest, but at least 60 s must lie between two times.`,
      ],
    );
    expect(complaints({ cron, ...report }, 1_000)).toBeUndefined();
  });

  it('is told of nearness over the end of an hour', () => {
    expect(complaints({ cron: '0,58 * * * *', ...report }, 5 * MINUTE)).toEqual([
      'The schedule fires every 120 s at its busiest, but at least 300 s must lie between two times.',
    ]);
  });

  it.each([
    [{ cron: '61 * * * *' }, 'The schedule has no cron expression in "61 * * * *": invalid value for minute: 61.'],
    [{ cron: 'daily' }, 'The schedule has no cron expression in "daily": it must have five fields, or six with'],
    [{ cron: '0 0 31 2 *' }, 'The schedule never fires: no day is one of "0 0 31 2 *". Mend the expression.'],
    [{ cron: '0 6 * * *', timeZone: 'Mars' }, 'The schedule must have an IANA zone as "timeZone", as in'],
    [{ cron: '1,'.repeat(60) }, 'cron must not be longer than 100 characters'],
    [{ cron: '0 6 * * *', timeZone: 1 }, 'timeZone must be the name of a time zone, as in "Europe/Berlin"'],
    [{ cron: undefined }, 'cron must be given: when to make the report, as in "0 6 * * MON-FRI"'],
    [{ cron: '0 6 * * *', dataset: 'cars' }, 'dataset must be one of: airports'],
    [{ cron: '0 6 * * *', overlap: 'allow' }, 'unknown: overlap'],
  ])('is told what is wrong with %j', (wrong, line) => {
    expect(complaints({ ...report, ...wrong })).toEqual([expect.stringContaining(line)]);
  });
});

describe('the description of a cron expression', () => {
  it.each([
    ['0 6 * * MON-FRI', 'At 06:00, Monday through Friday (UTC)'],
    ['*/5 * * * *', 'Every 5 minutes, every hour, every day (UTC)'],
    ['0 6 L * *', 'At 06:00, on the last day of the month (UTC)'],
    ['@daily', 'At 00:00, every day (UTC)'],
    ['? ? ? ? ?', 'At the times of "? ? ? ? ?" (UTC)'],
  ])('%s', (cron, words) => {
    expect(describeCron(cron, 'UTC')).toBe(words);
  });
});
