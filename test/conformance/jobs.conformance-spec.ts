import { JobContext, JobNotFoundError, Priority, ResultTimeoutError, task } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import type { JobsApp } from '../support/jobs-app.js';
import { ISO_UTC, Work, startWork } from '../support/work.js';

describe.each(backends)('jobs on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startWork(backend);
  });
  afterAll(() => started?.close());

  describe('running', () => {
    it('[A2] gives the result and a status that tells the whole story', async () => {
      const job = await started.jobs.enqueue(task(Work, 'echo'), { text: 'hello', list: [1, null, true] });
      expect(await job.result()).toEqual({ text: 'hello', list: [1, null, true] });
      const status = await job.status();
      expect(status).toEqual({
        id: job.id,
        task: 'Work.echo',
        queue: 'default',
        state: 'succeeded',
        attempt: 1,
        maxAttempts: 3,
        attempts: [{ attempt: 1, startedAt: status.startedAt, endedAt: status.finishedAt }],
        createdAt: expect.any(String),
        startedAt: expect.any(String),
        finishedAt: expect.any(String),
        result: { text: 'hello', list: [1, null, true] },
        tags: [],
        terminal: true,
      });
    });

    it('[C7] says every time as ISO-8601 in UTC', async () => {
      const job = await started.jobs.enqueue(task(Work, 'startedAt'), undefined, { delay: 5 });
      const { scheduledFor } = await job.result();
      const status = await job.status();
      const attempt = status.attempts[0]!;
      const times = [status.createdAt, status.startedAt, status.finishedAt, status.scheduledFor];
      for (const time of [...times, attempt.startedAt, attempt.endedAt, scheduledFor]) expect(time).toMatch(ISO_UTC);
    });

    it('[A1] makes ids of the queue and a uuid of version 7', async () => {
      const job = await started.jobs.enqueue(task(Work, 'nothing'));
      expect(job.id).toMatch(/^default_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(await job.result()).toBeNull();
    });

    it('hands the context to the method and to the code below it', async () => {
      const job = await started.jobs.enqueue(task(Work, 'context'));
      expect(await job.result()).toEqual({
        same: true,
        id: job.id,
        task: 'Work.context',
        queue: 'default',
        attempt: 1,
        maxAttempts: 3,
      });
      expect(JobContext.current()).toBeUndefined();
    });

    it('[A2] shows a job that runs, and a result that is waited for in vain', async () => {
      const gate = Work.gate('shown');
      const job = await started.jobs.enqueue(task(Work, 'gated'), { gate: 'shown' });
      await gate.entered.reached;
      const status = await job.status();
      expect(status).toMatchObject({ state: 'running', attempt: 1, terminal: false });
      expect(status.attempts).toEqual([{ attempt: 1, startedAt: status.startedAt, endedAt: null }]);
      await expect(job.result({ timeout: 50 })).rejects.toThrow(ResultTimeoutError);
      gate.open.reach();
      expect(await job.result()).toBe('shown');
    });

    it('[A2] knows no job that never was', async () => {
      for (const id of ['default_0198c7a2-6d3e-7c41-9a55-3f0f6f1f2b11', 'elsewhere_1', '', '../x', 'default_']) {
        await expect(started.jobs.job(id).status()).rejects.toThrow(JobNotFoundError);
        await expect(started.jobs.job(id).result()).rejects.toThrow(JobNotFoundError);
        await expect(started.jobs.job(id).cancel()).rejects.toThrow(JobNotFoundError);
      }
    });

    it('[A3] reads many jobs at once', async () => {
      const jobs = await Promise.all([1, 2, 3].map((n) => started.jobs.enqueue(task(Work, 'echo'), n)));
      await Promise.all(jobs.map((job) => job.result()));
      const statuses = await started.jobs.statuses([...jobs.map(({ id }) => id), 'default_absent']);
      expect(jobs.map(({ id }) => statuses[id]?.result)).toEqual([1, 2, 3]);
      expect(statuses['default_absent']).toBeNull();
    });
  });

  describe('queues', () => {
    it("[C4] runs as many jobs of a queue at a time as its concurrency says, and another queue's beside them", async () => {
      const gates = ['n1', 'n2', 'n3', 'n4', 'n5'].map((name) => [name, Work.gate(name)] as const);
      const jobs = [];
      // One after the other: what is enqueued at the same time has no order on Postgres.
      for (const [gate] of gates) jobs.push(await started.jobs.enqueue(task(Work, 'narrow'), { gate }));
      await Promise.all(gates.slice(0, 3).map(([, gate]) => gate.entered.reached));
      const other = await started.jobs.enqueue(task(Work, 'echo'), 'beside');
      expect(await other.result()).toBe('beside');
      expect(Work.active).toBe(3);
      for (const [, gate] of gates) gate.open.reach();
      await Promise.all(jobs.map((job) => job.result()));
      expect(Work.mostActive).toBe(3);
    });

    it('[Q2] runs the more urgent first, and jobs of one priority in their order', async () => {
      const gate = Work.gate('holder');
      await started.jobs.enqueue(task(Work, 'single'), { name: 'holder', gate: 'holder' });
      await gate.entered.reached;
      Work.order = [];
      const priorities = { bulk: 0, first: undefined, second: undefined, critical: Priority.critical, high: 7 };
      const jobs = [];
      for (const [name, priority] of Object.entries(priorities)) {
        const options = priority === undefined ? {} : { priority };
        jobs.push(await started.jobs.enqueue(task(Work, 'single'), { name }, options));
      }
      gate.open.reach();
      await Promise.all(jobs.map((job) => job.result()));
      expect(Work.order).toEqual(['critical', 'high', 'first', 'second', 'bulk']);
    });

    it('[Q5] sends a job to the queue that the call names', async () => {
      const job = await started.jobs.enqueue(task(Work, 'context'), undefined, { queue: 'narrow' });
      expect(await job.result()).toMatchObject({ queue: 'narrow' });
      expect(job.id).toMatch(/^narrow_/);
    });
  });

  describe('progress', () => {
    it('[A4] shows stages and progress while they happen, and keeps the log', async () => {
      const [first, second] = [Work.gate('tells-1'), Work.gate('tells-2')];
      const job = await started.jobs.enqueue(task(Work, 'tells'), { gate: 'tells' });
      await first.entered.reached;
      expect(await job.status()).toMatchObject({ stage: { name: 'VALIDATING', meta: { step: 1 } }, progress: 10 });
      first.open.reach();
      await second.entered.reached;
      const status = await job.status();
      expect(status.stage).toEqual({ name: 'PROCESSING' });
      expect(status.progress).toEqual({ done: 2, of: 3 });
      second.open.reach();
      await job.result();
      expect(await job.status()).toMatchObject({ state: 'succeeded', stage: { name: 'PROCESSING' } });
      expect((await started.jobs.queue('default').getJobLogs(job.id)).logs).toEqual(['began']);
    });
  });
});
