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
      /"@Task of Mails\.send in MailModule\.timeLimit\.soft" must be less than `hard`, which is 300000 ms.*is 300000/,
    ],
    ['its hard limit is below the default soft one', { timeLimit: { hard: '30s' } }, {}, /30000 ms there.*is 540000/],
    [
      'the hard limit of its queue is lower',
      { timeLimit: { soft: '5m' }, queue: 'short' },
      { queues: { short } },
      /120000/,
    ],
    ['it is no duration', { timeLimit: { soft: 'soon' } }, {}, /timeLimit\.soft" must be a duration/],
    ['it is true', { timeLimit: true as never }, {}, /timeLimit" must be an object, but is true/],
  ])('is refused when %s', (_what, task, options, message) => {
    expect(() => resolve(task, options)).toThrow(InvalidJobsOptionsError);
    expect(() => resolve(task, options)).toThrow(message);
  });

  it('is that of the queue which a job goes to, where the task says nothing', () => {
    const { timeLimit, timeLimitIn } = resolve({ timeLimit: { hard: '20m' } }, { queues: { short } });
    expect(timeLimit).toEqual({ soft: 540_000, hard: 1_200_000 });
    expect(timeLimitIn('short')).toEqual({ soft: 60_000, hard: 1_200_000 });
    expect(resolve({ timeLimit: false }).timeLimit).toEqual({});
  });
});
