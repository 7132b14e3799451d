import {
  InvalidJobsOptionsError,
  taskContract,
  type EnqueueOptions,
  type JobsModuleOptions,
  type TaskRef,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { charge, fail, PaymentsApp, queues, refund, send, settle, spawn } from '../support/payments.js';

const contract = taskContract<{ id: string }, null>('payment.contract', { queue: 'low' });

describe.each(backends)('routing on $name', (backend) => {
  describe('by routes', () => {
    const logger = new MemoryLogger();
    let app: PaymentsApp;
    beforeAll(async () => {
      const routes = [
        { match: 'payment.charge', queue: 'critical', priority: 9 },
        { match: 'payment.*', queue: 'high', priority: 7 },
        { match: 'mail.*', priority: 2 },
        { match: '*', queue: 'low' },
      ];
      app = await PaymentsApp.start(backend, { routes }, { logger });
    });
    afterAll(() => app?.close());

    it('[Q3] sends a task where the first route says that its name fits', async () => {
      expect(await app.placed(charge)).toBe('critical/9');
      expect(await app.placed(send)).toBe('default/2');
      expect(await app.placed(spawn)).toBe('low/5');
      const many = await app.jobs.enqueueMany([{ task: send }, { task: charge }]);
      expect(await Promise.all(many.map((job) => app.placeOf(job)))).toEqual(['default/2', 'critical/9']);
    });

    it('[Q3] lets @Task and a contract go before a route, each option by itself', async () => {
      expect(await app.placed(refund)).toBe('bulk/7');
      expect(await app.placed(settle)).toBe('high/1');
      expect(await app.placeOf(await app.jobs.enqueue(contract, { id: '1' }))).toBe('low/7');
    });

    it('[Q5] decides in the call, before everything else', async () => {
      expect(await app.placed(charge, { queue: 'bulk' })).toBe('bulk/9');
      expect(await app.placed(charge, { priority: 0 })).toBe('critical/0');
      expect(await app.placed(settle, { queue: 'low', priority: 3 })).toBe('low/3');
      const [job] = await app.jobs.enqueueMany([{ task: refund, options: { queue: 'critical', priority: 8 } }]);
      expect(await app.placeOf(job)).toBe('critical/8');
      await expect(app.placed(charge, { queue: 'nowhere' })).rejects.toThrow(InvalidJobsOptionsError);
    });

    it('[Q3] shows in the table of the boot where tasks go', () => {
      expect(logger.text()).toMatch(/payment\.charge\s+-> critical\s/);
      expect(logger.text()).toMatch(/payment\.settle\s+-> high\s/);
      expect(logger.text()).toMatch(/payment\.refund\s+-> bulk\s/);
      expect(logger.text()).toMatch(/work\.spawn\s+-> low\s/);
    });
  });

  describe('by defaults', () => {
    it('[Q5] fills in what call, @Task and route leave open: first the queue, then the module', async () => {
      const app = await PaymentsApp.start(backend, {
        queues: { ...queues, bulk: { defaults: { priority: 0, keepResult: false, expiresIn: false } } },
        defaults: { priority: 4, expiresIn: '1h', retry: { attempts: 7 } },
        routes: [{ match: 'work.*', queue: 'bulk', priority: 6 }],
      });
      expect(await app.placed(charge)).toBe('default/4');
      expect(await app.placed(charge, { queue: 'bulk' })).toBe('bulk/0');
      expect(await app.placed(spawn)).toBe('bulk/6');
      expect(await app.placed(settle, { queue: 'bulk' })).toBe('bulk/1');
      const stored = async (ref: TaskRef<undefined>, options?: EnqueueOptions) => {
        const { id } = await app.jobs.enqueue(ref, undefined, options);
        const { data, opts } = (await app.jobs.queue(id.split('_')[0]!).getJob(id))!;
        return { keys: Object.keys(data as object).toSorted(), attempts: opts.attempts };
      };
      expect(await stored(charge)).toEqual({ keys: ['x'], attempts: 7 });
      expect(await stored(refund)).toEqual({ keys: ['k'], attempts: 7 });
      expect(await stored(refund, { keepResult: true, expiresIn: '1m' })).toEqual({ keys: ['x'], attempts: 7 });
      expect(await stored(charge, { expiresIn: false, keepResult: false })).toEqual({ keys: ['k'], attempts: 7 });
      expect(await stored(fail)).toEqual({ keys: ['k'], attempts: 2 });
      await app.close();
    });

    it('[Q5] retries a job as the queue that it was sent to says', async () => {
      const slow = { defaults: { retry: { delay: '1h', maxDelay: '1h', jitter: 'none' as const } } };
      const defaults = { retry: { delay: 1 } };
      const app = await PaymentsApp.start(backend, { queues: { ...queues, bulk: slow }, workers: true, defaults });
      const quick = await app.jobs.enqueue(fail);
      await expect(quick.result()).rejects.toThrow('again, please');
      const job = await app.jobs.enqueue(fail, undefined, { queue: 'bulk' });
      await eventually(async () => expect((await job.status()).state).toBe('retrying'));
      const { scheduledFor, attempts } = await job.status();
      expect(Date.parse(scheduledFor!) - Date.parse(attempts[0]!.endedAt!)).toBe(3_600_000);
      await app.close();
    });
  });

  it('[Q1] works named queues each with its own workers, and leaves the others alone', async () => {
    const options = { workers: { except: ['bulk'] }, queues: { ...queues, low: { concurrency: 1 } } };
    const app = await PaymentsApp.start(backend, options);
    const names = ['critical', 'high', 'default', 'low', 'bulk'];
    const jobs = await app.jobs.enqueueMany(names.map((queue) => ({ task: charge, options: { queue } })));
    await Promise.all(jobs.slice(0, 4).map((job) => job.result()));
    expect((await jobs[4]!.status()).state).toBe('pending');
    await app.close();
  });

  it('[Q3] does not boot with a route to a queue that is not declared', async () => {
    const routes: JobsModuleOptions['routes'] = [
      { match: 'a.*', queue: 'bulk' },
      { match: 'b.*', queue: 'nowhere' },
    ];
    await expect(startJobsApp({ backend, options: { queues, routes } })).rejects.toMatchObject({
      name: InvalidJobsOptionsError.name,
      path: 'routes[1].queue',
      message: expect.stringMatching(/declared queue \(default, critical, .*\); declare it with .*"nowhere"/),
    });
  });
});
