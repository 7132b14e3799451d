import { Injectable } from '@nestjs/common';
import { InvalidEnqueueOptionsError, Task, task, TransactionNotSupportedError, type JobsService } from 'nestjs-jobs';
import { Pool } from 'pg';
import { backends, type TestBackend } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Work } from '../support/work.js';

@Injectable()
class Counting {
  static ran: number[] = [];

  @Task()
  double(n: number): number {
    Counting.ran.push(n);
    return n * 2;
  }
}

const QUEUES = ['default', 'narrow', 'single', 'unworked'];
const double = task(Counting, 'double');
/** Fails the test that sends something in it. */
const query = async (): Promise<never> => {
  throw new Error('this transaction must not be used');
};
const transaction = { query, getTransactionStatus: () => 'T' };

function start(backend: TestBackend): Promise<JobsApp> {
  return startJobsApp({
    backend,
    providers: [Work, Counting],
    options: {
      queues: { narrow: { concurrency: 3 }, single: { concurrency: 1 }, unworked: {} },
      workers: { except: ['unworked'] },
      payload: { maxSize: '2kb' },
    },
  });
}

/** How many jobs each queue has, in whatever state. */
async function stored(jobs: JobsService): Promise<number[]> {
  const counts = await Promise.all(QUEUES.map((name) => jobs.queue(name).getJobCounts()));
  return counts.map((each) => Object.values(each).reduce((sum, n) => sum + n, 0));
}

describe.each(backends)('enqueueMany on $name', (backend) => {
  let started: JobsApp;
  let jobs: JobsService;
  beforeAll(async () => {
    started = await start(backend);
    ({ jobs } = started);
  });
  afterAll(() => started?.close());

  describe('stores', () => {
    it('many jobs of several queues, which run once each, and gives their handles in the order of the entries', async () => {
      Counting.ran = [];
      const numbers = Array.from({ length: 90 }, (_, n) => n);
      const entries = numbers.map((n) => ({ task: double, payload: n, options: { queue: QUEUES[n % 3]! } }));
      const handles = await jobs.enqueueMany(entries);
      expect(handles.map(({ id }) => id.split('_')[0])).toEqual(numbers.map((n) => QUEUES[n % 3]));
      expect(await Promise.all(handles.map((job) => job.result()))).toEqual(numbers.map((n) => n * 2));
      expect(Counting.ran.sort((a, b) => a - b)).toEqual(numbers);
    });

    it('an empty list as no job', async () => {
      const before = await stored(jobs);
      expect(await jobs.enqueueMany([])).toEqual([]);
      expect(await jobs.enqueueMany([], {})).toEqual([]);
      expect(await stored(jobs)).toEqual(before);
    });

    it('different tasks in one list', async () => {
      const [echo, nothing, context] = await jobs.enqueueMany([
        { task: task(Work, 'echo'), payload: { text: 'ünï', list: [1, null] } },
        { task: task(Work, 'nothing') },
        { task: task(Work, 'context'), options: { queue: 'narrow' } },
      ]);
      expect(await echo.result()).toEqual({ text: 'ünï', list: [1, null] });
      expect(await nothing.result()).toBeNull();
      expect(await context.result()).toMatchObject({ id: context.id, task: 'Work.context', queue: 'narrow' });
    });

    it('each job with the retries of its own task', async () => {
      const [failing, fine] = await jobs.enqueueMany([
        { task: task(Work, 'failsTwice'), payload: { key: 'many' } },
        { task: task(Work, 'nothing') },
      ]);
      expect(await failing.result()).toBe(3);
      expect(await fine.result()).toBeNull();
    });

    it('each job with its own delay or runAt', async () => {
      const runAt = new Date(Date.now() + 300);
      const startedAt = task(Work, 'startedAt');
      const [now, delayed, atTime, far] = await jobs.enqueueMany([
        { task: startedAt },
        { task: startedAt, options: { delay: '300ms' } },
        { task: startedAt, options: { runAt } },
        { task: startedAt, options: { delay: '1h' } },
      ]);
      expect((await now.result()).scheduledFor).toBeNull();
      for (const job of [delayed, atTime]) {
        const result = await job.result();
        expect(result.startedAt).toBeGreaterThanOrEqual(Date.parse(result.scheduledFor!));
      }
      const status = await far.status();
      expect(status.state).toBe('scheduled');
      expect(Date.parse(status.scheduledFor!) - Date.parse(status.createdAt)).toBe(3_600_000);
      expect(await far.cancel()).toBe(true);
    });

    it('each job with its priority, and those of one priority in their order', async () => {
      const gate = Work.gate('many-holder');
      await jobs.enqueue(task(Work, 'single'), { name: 'many-holder', gate: 'many-holder' });
      await gate.entered.reached;
      Work.order = [];
      const priorities = { bulk: 0, first: undefined, second: undefined, critical: 9, high: 7 };
      const handles = await jobs.enqueueMany(
        Object.entries(priorities).map(([name, priority]) => ({
          task: task(Work, 'single'),
          payload: { name },
          options: { priority },
        })),
      );
      gate.open.reach();
      await Promise.all(handles.map((job) => job.result()));
      expect(Work.order).toEqual(['critical', 'high', 'first', 'second', 'bulk']);
    });
  });

  describe('refuses, and enqueues nothing at all', () => {
    async function leavesNothing(check: () => Promise<void>): Promise<void> {
      const before = await stored(jobs);
      await check();
      expect(await stored(jobs)).toEqual(before);
    }

    const echo = task(Work, 'echo');
    const [big, astray] = ['x'.repeat(2_047), { name: 'astray', options: { queue: 'x' } }];
    const [options, undeclared] = ['InvalidEnqueueOptionsError', 'InvalidJobsOptionsError'];
    const wrong: [string, unknown, string, string][] = [
      [
        'a Date in a payload',
        { task: echo, payload: [new Date()] },
        'PayloadNotSerializableError',
        '.payload[0] is an',
      ],
      ['a BigInt as payload', { task: echo, payload: 1n }, 'PayloadNotSerializableError', '.payload is a BigInt'],
      ['a large payload', { task: echo, payload: big }, 'PayloadTooLargeError', ' is 2049 bytes'],
      ['a wrong option', { task: echo, options: { delay: 'later' } }, options, '.options.delay" must be'],
      ['an unknown option', { task: echo, options: { prio: 1 } }, options, '.options.prio"'],
      [
        'its own transaction',
        { task: echo, options: { transaction } },
        options,
        '.options.transaction" must be absent',
      ],
      [
        'an undeclared queue',
        { task: echo, options: { queue: 'x' } },
        undeclared,
        '.options.queue" must be a declared',
      ],
      ['a task on an undeclared queue', { task: astray }, undeclared, ').queue" must be a declared queue'],
      ['no task', { payload: 1 }, options, '.task" must be a task'],
      ['no object', undefined, options, '" must be an object'],
    ];

    it.each(wrong)('%s, naming the entry', async (_what, entry, name, problem) => {
      const good = QUEUES.map((queue) => ({ task: echo, payload: 1, options: { queue } }));
      await leavesNothing(async () => {
        const refused = jobs.enqueueMany(good.toSpliced(2, 0, entry as (typeof good)[0]));
        await expect(refused).rejects.toMatchObject({ name, message: expect.stringContaining(`entries[2]${problem}`) });
      });
    });

    it('anything but an array, and an option that is none', async () => {
      const one = { task: echo, payload: 1 };
      await leavesNothing(async () => {
        await expect(jobs.enqueueMany(one as never)).rejects.toThrow(InvalidEnqueueOptionsError);
        await expect(jobs.enqueueMany([one], { priority: 7 } as never)).rejects.toThrow('no option "priority"');
      });
    });

    it('a transaction that is none', async () => {
      const pool = new Pool();
      const idle = { query, getTransactionStatus: () => 'I' };
      const failed = { query, getTransactionStatus: () => 'E' };
      await leavesNothing(async () => {
        for (const none of [pool, idle, failed, {} as Pool]) {
          const one = jobs.enqueue(echo, 1, { transaction: none });
          await expect(one).rejects.toThrow(InvalidEnqueueOptionsError);
          const many = jobs.enqueueMany([{ task: echo, payload: 1 }], { transaction: none });
          await expect(many).rejects.toThrow(InvalidEnqueueOptionsError);
        }
      });
    });
  });
});

const withoutTransactions = backends.filter(({ name }) => name !== 'postgres');

// `describe.each` refuses an empty table: a run for one backend has nothing to do in the other's tests.
if (withoutTransactions.length > 0) {
  describe.each(withoutTransactions)('a transaction on $name', (backend) => {
    it('is refused, and nothing is enqueued', async () => {
      const { jobs, close } = await start(backend);
      await expect(jobs.enqueue(double, 1, { transaction })).rejects.toThrow(TransactionNotSupportedError);
      const many = jobs.enqueueMany(
        [1, 2].map((payload) => ({ task: double, payload })),
        { transaction },
      );
      await expect(many).rejects.toThrow(TransactionNotSupportedError);
      expect(await stored(jobs)).toEqual([0, 0, 0, 0]);
      await close();
    });
  });
}
