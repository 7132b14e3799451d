import { InvalidJobsOptionsError, UnknownJobsOptionError } from '../options/jobs-options.error.js';
import { resolveHealthOptions } from './jobs-health.options.js';

const queues = new Map([
  ['default', {}],
  ['bulk', {}],
]);
const resolve = (options: unknown) => resolveHealthOptions(options, queues);

describe('options of JobsHealthModule', () => {
  it('[M3] have defaults: no thresholds, a minute for schedules, 15 seconds', () => {
    const { thresholdsOf, ...others } = resolve({});
    expect(others).toEqual({ scheduleLag: { degraded: 60_000 }, refresh: 15_000, degradedAs: 'degraded' });
    expect(thresholdsOf('default')).toEqual({ backlog: {}, oldest: {}, deadLetters: {} });
  });

  it("[M3] take from '*' what a queue does not have for the same thing", () => {
    const { thresholdsOf, scheduleLag } = resolve({
      thresholds: {
        '*': { backlog: { degraded: 10, down: 20 }, oldest: { down: '1h' } },
        bulk: { backlog: { degraded: 5 }, oldest: {}, deadLetters: { degraded: 1, down: 1 } },
      },
      scheduleLag: {},
    });
    expect(scheduleLag).toEqual({});
    expect(thresholdsOf('default')).toEqual({
      backlog: { degraded: 10, down: 20 },
      oldest: { down: 3_600_000 },
      deadLetters: {},
    });
    expect(thresholdsOf('bulk')).toEqual({
      backlog: { degraded: 5 },
      oldest: {},
      deadLetters: { degraded: 1, down: 1 },
    });
  });

  it.each([
    [[], 'JobsHealthModule', 'must be an object'],
    [{ thresholds: [] }, 'JobsHealthModule.thresholds', 'must be an object of thresholds by queue'],
    [{ thresholds: { bluk: {} } }, 'JobsHealthModule.thresholds.bluk', 'must be a declared queue (default, bulk)'],
    [{ thresholds: { bulk: 5 } }, 'JobsHealthModule.thresholds.bulk', 'but is 5.'],
    [{ thresholds: { '*': { backlog: 5 } } }, 'JobsHealthModule.thresholds.*.backlog', 'degraded: ..., down: ...'],
    [
      { thresholds: { bulk: { backlog: { degraded: 0 } } } },
      'JobsHealthModule.thresholds.bulk.backlog.degraded',
      'must be a whole number above zero, but is 0.',
    ],
    [
      { thresholds: { bulk: { oldest: { down: 'soon' } } } },
      'JobsHealthModule.thresholds.bulk.oldest.down',
      'must be a duration above zero',
    ],
    [
      { thresholds: { bulk: { deadLetters: { degraded: 5, down: 4 } } } },
      'JobsHealthModule.thresholds.bulk.deadLetters.down',
      'must be at least JobsHealthModule.thresholds.bulk.deadLetters.degraded, but is 4.',
    ],
    [{ scheduleLag: '1m' }, 'JobsHealthModule.scheduleLag', 'but is "1m".'],
    [{ refresh: -1 }, 'JobsHealthModule.refresh', 'must be a duration above zero'],
    [{ degradedAs: true }, 'JobsHealthModule.degradedAs', "must be 'up', 'degraded' or 'down', but is true."],
  ])('[M3] refuses %j', (options, path, message) => {
    expect(() => resolve(options)).toThrow(InvalidJobsOptionsError);
    expect(() => resolve(options)).toThrow(`option "${path}" `);
    expect(() => resolve(options)).toThrow(message);
  });

  it.each([
    [{ treshold: {} }, 'JobsHealthModule.treshold'],
    [{ thresholds: { bulk: { backlogs: {} } } }, 'JobsHealthModule.thresholds.bulk.backlogs'],
    [{ scheduleLag: { degrade: 1 } }, 'JobsHealthModule.scheduleLag.degrade'],
  ])('[M3] knows no option of %j', (options, path) => {
    expect(() => resolve(options)).toThrow(UnknownJobsOptionError);
    expect(() => resolve(options)).toThrow(`"${path}"`);
  });
});
