import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { JobsModuleOptions } from '../options/jobs-options.js';
import { resolveOptions } from '../options/resolve-options.js';
import type { ResolvedTaskOptions } from './task-definition.js';
import { TaskSettings } from './task.settings.js';
import type { TaskOptions } from './task-options.js';

function resolve(task: TaskOptions, options: JobsModuleOptions = {}): ResolvedTaskOptions {
  const settings = new TaskSettings(resolveOptions({ connection: 'redis://localhost', ...options }, {}));
  return settings.resolve(task, 'Mails.send in MailModule', 'mails.send');
}

const impatient = { defaults: { retry: { delay: '1s', maxDelay: '5s' } } };

describe('the retry policy of a task', () => {
  const refused: [string, TaskOptions, JobsModuleOptions, RegExp][] = [
    [
      'has a first wait that the default of maxDelay would cut',
      { retry: { delay: '20m' } },
      {},
      /"@Task of Mails\.send in MailModule\.retry\.delay" must be at most `maxDelay`, which is 600000 ms.*is 1200000/,
    ],
    ['has one that its own maxDelay would cut', { retry: { delay: 2_001, maxDelay: '2s' } }, {}, /2000 ms.*is 2001/],
    ['has a maxDelay below the default wait', { retry: { maxDelay: '500ms' } }, {}, /500 ms there.*but is 1000/],
    [
      'has one that the maxDelay of its queue would cut',
      { retry: { delay: '1m' }, queue: 'impatient' },
      { queues: { impatient } },
      /retry\.delay".*5000 ms there.*but is 60000/,
    ],
    [
      'has one that the maxDelay of the queue of its route would cut',
      { retry: { delay: '1m' } },
      { queues: { impatient }, routes: [{ match: 'mails.*', queue: 'impatient' }] },
      /5000 ms there/,
    ],
    ['has more attempts than can be counted', { retry: { attempts: 1e10 } }, {}, /attempts".*of at most 2147483647/],
  ];

  it.each(refused)('is refused when it %s', (_what, task, options, message) => {
    expect(() => resolve(task, options)).toThrow(InvalidJobsOptionsError);
    expect(() => resolve(task, options)).toThrow(message);
  });

  it('may have a first wait as long as maxDelay, and too long for a queue that the task does not go to', () => {
    const { retry } = resolve({ retry: { delay: '1h', maxDelay: '1h' } }, { queues: { impatient } });
    expect(retry).toMatchObject({ delay: 3_600_000, maxDelay: 3_600_000 });
  });
});

describe('the time limit of a task', () => {
  const short = { defaults: { timeLimit: { soft: '1m', hard: '2m' } } };

  it.each<[string, TaskOptions, JobsModuleOptions, RegExp]>([
    [
      'its soft limit is not below its hard one',
      { timeLimit: { soft: '5m', hard: '5m' } },
      {},
      /"@Task of Mails\.send in MailModule\.timeLimit\.soft" must be less than `hard`, which is 300000 ms.*is "5m"/,
    ],
    ['it is no duration', { timeLimit: { soft: 'soon' } }, {}, /timeLimit\.soft" must be a duration/],
    ['it is true', { timeLimit: true as never }, {}, /timeLimit" must be an object, but is true/],
  ])('is refused when %s', (_what, task, options, message) => {
    expect(() => resolve(task, options)).toThrow(InvalidJobsOptionsError);
    expect(() => resolve(task, options)).toThrow(message);
  });

  it('is that of the queue which a job goes to, where the task says nothing', () => {
    const { timeLimit, timeLimitIn } = resolve({ timeLimit: { hard: '20m' } }, { queues: { short } });
    expect(timeLimit).toEqual({ soft: 1_080_000, hard: 1_200_000, softFollows: true });
    expect(timeLimitIn('short')).toEqual({ soft: 60_000, hard: 1_200_000 });
    expect(resolve({ timeLimit: false }).timeLimit).toEqual({});
  });

  const none = { defaults: { timeLimit: false } } as const;
  const softOnly = { defaults: { timeLimit: { soft: '5m', hard: false } } } as const;
  const LONGEST = 2 ** 31 - 1;

  it.each<[string, TaskOptions['timeLimit'], JobsModuleOptions, { soft?: number; hard?: number }]>([
    ['a hard limit alone', { hard: '1m' }, {}, { soft: 54_000, hard: 60_000 }],
    ['a hard limit of one millisecond', { hard: 1 }, {}, { soft: 0, hard: 1 }],
    ['no hard limit', { hard: false }, {}, {}],
    ['no soft limit', { soft: false }, {}, { hard: 600_000 }],
    ['a soft limit that fits', { soft: '5m' }, {}, { soft: 300_000, hard: 600_000 }],
    ['a soft limit that does not', { soft: '10m' }, {}, { soft: 600_000, hard: 666_667 }],
    ['a soft limit of 24 days', { soft: '24d' }, {}, { soft: 2_073_600_000, hard: LONGEST }],
    ['the longest soft limit', { soft: LONGEST }, {}, { soft: LONGEST }],
    ['a hard limit under a soft one', { hard: '30s' }, { defaults: short.defaults }, { soft: 27_000, hard: 30_000 }],
    ['a soft limit over a hard one', { soft: '3m' }, { defaults: short.defaults }, { soft: 180_000, hard: 200_000 }],
    ['a hard limit, over none at all', { hard: '1m' }, none, { hard: 60_000 }],
    ['a hard limit, where only a soft one was set', { hard: '6m' }, softOnly, { soft: 300_000, hard: 360_000 }],
    ['no limit of its own, with none at the module', undefined, none, {}],
  ])('of %s is made whole', (_what, timeLimit, options, expected) => {
    const { soft, hard } = resolve({ ...(timeLimit !== undefined && { timeLimit }) }, options).timeLimit;
    expect({ soft, hard }).toEqual({ soft: undefined, hard: undefined, ...expected });
  });

  it('follows a hard limit that is set further up, as long as nobody has set a soft one', () => {
    const options: JobsModuleOptions = {
      defaults: { timeLimit: { hard: '20m' } },
      queues: { bulk: { defaults: { timeLimit: { hard: '1h' } } } },
    };
    const { timeLimitIn } = resolve({ timeLimit: { hard: '10s' } }, options);
    expect([timeLimitIn('default').soft, timeLimitIn('bulk').soft]).toEqual([9_000, 9_000]);
    expect(resolve({ queue: 'bulk' }, options).timeLimit).toMatchObject({ soft: 3_240_000, hard: 3_600_000 });
  });
});
