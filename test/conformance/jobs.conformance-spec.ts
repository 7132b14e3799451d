import { Injectable } from '@nestjs/common';
import {
  JobCancelledError,
  JobContext,
  JobFailedError,
  JobNotFoundError,
  NonRetryableError,
  PayloadNotSerializableError,
  PayloadTooLargeError,
  Priority,
  ResultTimeoutError,
  Task,
  task,
  type JobState,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Work {
  static gates = new Map<string, { entered: Signal; open: Signal }>();
  static order: string[] = [];
  static active = 0;
  static mostActive = 0;

  static gate(name: string): { entered: Signal; open: Signal } {
    const gate = { entered: signal(), open: signal() };
    Work.gates.set(name, gate);
    return gate;
  }

  @Task()
  echo<T>(payload: T): T {
    return payload;
  }

  @Task()
  nothing(): void {}

  @Task({ name: 'work.gated' })
  async gated(payload: { gate: string }): Promise<string> {
    const gate = Work.gates.get(payload.gate)!;
    gate.entered.reach();
    await gate.open.reached;
    return payload.gate;
  }

  @Task({ queue: 'narrow' })
  async narrow(payload: { gate: string }): Promise<void> {
    Work.active++;
    Work.mostActive = Math.max(Work.mostActive, Work.active);
    await this.gated(payload);
    Work.active--;
  }

  @Task({ queue: 'single' })
  async single(payload: { name: string; gate?: string }): Promise<void> {
    Work.order.push(payload.name);
    if (payload.gate) await this.gated({ gate: payload.gate });
  }

  @Task({ retry: { attempts: 3, delay: '20ms', jitter: 'none' } })
  failsTwice(_payload: { key: string }, job: JobContext): number {
    if (job.attempt < 3) throw Object.assign(new Error(`attempt ${job.attempt} failed`), { code: 'E_TEST' });
    return job.attempt;
  }

  @Task({ retry: { attempts: 2, delay: 1 } })
  alwaysFails(): never {
    throw Object.assign(new TypeError('broken\u0000 for good'), { code: 'E_BROKEN' });
  }

  @Task()
  givesUp(): never {
    throw new NonRetryableError('no use', { code: 'E_NO_USE' });
  }

  @Task()
  returnsDate(): unknown {
    return { rows: [{ when: new Date() }] };
  }

  @Task()
  async tells(payload: { gate: string }, job: JobContext): Promise<void> {
    await job.stage('VALIDATING', { step: 1 });
    await job.progress(10);
    await job.log('began');
    await this.gated({ gate: `${payload.gate}-1` });
    await job.stage('PROCESSING');
    await job.progress({ done: 2, of: 3 });
    await this.gated({ gate: `${payload.gate}-2` });
  }

  @Task()
  context(_payload: undefined, job: JobContext): Record<string, unknown> {
    return {
      same: JobContext.current() === job,
      id: job.id,
      task: job.task,
      queue: job.queue,
      attempt: job.attempt,
      maxAttempts: job.maxAttempts,
    };
  }

  @Task()
  startedAt(_payload: undefined, job: JobContext): { startedAt: number; scheduledFor: string | null } {
    return { startedAt: Date.now(), scheduledFor: job.scheduledFor?.toISOString() ?? null };
  }
}

@Injectable()
class Slow {
  @Task({ name: 'Work.slow', retry: { attempts: 2, delay: '1h', jitter: 'none' } })
  fails(): never {
    throw new Error('try me in an hour');
  }
}

const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe.each(backends)('jobs on $name', (backend) => {
  let started: JobsApp;

  beforeAll(async () => {
    started = await startJobsApp({
      backend,
      providers: [Work, Slow],
      options: {
        connection: backend.connection()!,
        queues: { narrow: { concurrency: 3 }, single: { concurrency: 1 } },
        payload: { maxSize: '2kb' },
        results: { keepFor: '1h' },
      },
    });
  });
  afterAll(() => started?.close());

  async function reaches(id: string, state: JobState): Promise<void> {
    await eventually(async () => expect((await started.jobs.job(id).status()).state).toBe(state));
  }

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
      const jobs = await Promise.all(gates.map(([gate]) => started.jobs.enqueue(task(Work, 'narrow'), { gate })));
      await Promise.all(gates.slice(0, 3).map(([, gate]) => gate.entered.reached));
      const other = await started.jobs.enqueue(task(Work, 'echo'), 'beside');
      expect(await other.result()).toBe('beside');
      expect(Work.active).toBe(3);
      for (const [, gate] of gates) gate.open.reach();
      await Promise.all(jobs.map((job) => job.result()));
      expect(Work.mostActive).toBe(3);
    });

    it('runs the more urgent first, and jobs of one priority in their order', async () => {
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

    it('sends a job to the queue that the call names', async () => {
      const job = await started.jobs.enqueue(task(Work, 'context'), undefined, { queue: 'narrow' });
      expect(await job.result()).toMatchObject({ queue: 'narrow' });
      expect(job.id).toMatch(/^narrow_/);
    });
  });

  describe('payloads and results', () => {
    const notJson: [string, unknown, string][] = [
      ['a Date', { a: [{ b: new Date() }] }, '$.a[0].b'],
      ['a Map', new Map(), '$'],
      ['a Set', { set: new Set() }, '$.set'],
      ['a BigInt', { n: 1n }, '$.n'],
      ['a function', { f: () => 1 }, '$.f'],
      ['a symbol', [Symbol('s')], '$[0]'],
      ['NaN', { 'odd key': Number.NaN }, '$["odd key"]'],
      ['Infinity', Number.POSITIVE_INFINITY, '$'],
      ['undefined in an array', [1, undefined], '$[1]'],
      ['a class instance', { user: new (class User {})() }, '$.user'],
      ['a string that Postgres cannot store', { s: 'a\u0000b' }, '$.s'],
      ['half a surrogate pair', { s: '\ud800' }, '$.s'],
    ];

    it.each(notJson)('[C1] refuses %s in a payload, naming its place', async (_what, payload, path) => {
      const refused = started.jobs.enqueue(task(Work, 'echo'), payload);
      await expect(refused).rejects.toThrow(PayloadNotSerializableError);
      await expect(refused).rejects.toMatchObject({ path });
    });

    it('[C1] refuses a cycle, and takes the same object twice', async () => {
      const cycle: Record<string, unknown> = {};
      cycle['self'] = { cycle };
      await expect(started.jobs.enqueue(task(Work, 'echo'), cycle)).rejects.toMatchObject({ path: '$.self.cycle' });
      const shared = { x: 1 };
      const job = await started.jobs.enqueue(task(Work, 'echo'), { a: shared, b: shared });
      expect(await job.result()).toEqual({ a: { x: 1 }, b: { x: 1 } });
    });

    it('[C1] brings every kind of JSON back as it was', async () => {
      const payload = {
        text: 'ünï©ødé "quoted" \\ 🚀',
        numbers: [0, -1.5, 1e21, Number.MAX_SAFE_INTEGER, 5e-324],
        nested: { empty: {}, none: [], no: null, yes: true },
        __proto__key: 'x',
      };
      const job = await started.jobs.enqueue(task(Work, 'echo'), payload);
      expect(await job.result()).toEqual(payload);
    });

    it('refuses a payload over payload.maxSize', async () => {
      const refused = started.jobs.enqueue(task(Work, 'echo'), 'x'.repeat(2_047));
      await expect(refused).rejects.toThrow(PayloadTooLargeError);
      await expect(started.jobs.enqueue(task(Work, 'echo'), 'x'.repeat(2_046))).resolves.toBeDefined();
    });

    it('[C1] fails a job whose result is not JSON, once, naming its place', async () => {
      const job = await started.jobs.enqueue(task(Work, 'returnsDate'));
      await expect(job.result()).rejects.toThrow(JobFailedError);
      const status = await job.status();
      expect(status.attempts).toHaveLength(1);
      expect(status.error).toMatchObject({ name: 'ResultNotSerializableError' });
      expect(status.error!.message).toContain('$.rows[0].when');
    });
  });

  describe('failures', () => {
    it('tries again as the policy says, and keeps every attempt', async () => {
      const job = await started.jobs.enqueue(task(Work, 'failsTwice'), { key: 'a' });
      expect(await job.result()).toBe(3);
      const { attempts, attempt } = await job.status();
      expect(attempt).toBe(3);
      expect(attempts.map(({ error }) => error)).toEqual([
        { name: 'Error', message: 'attempt 1 failed', code: 'E_TEST' },
        { name: 'Error', message: 'attempt 2 failed', code: 'E_TEST' },
        undefined,
      ]);
      const waits = [1, 2].map((n) => Date.parse(attempts[n]!.startedAt) - Date.parse(attempts[n - 1]!.endedAt!));
      // The policy waits 20 and 40 ms; the clocks of process and store may differ by a few.
      expect(waits[0]).toBeGreaterThanOrEqual(15);
      expect(waits[1]).toBeGreaterThanOrEqual(35);
    });

    it('fails for good after the last attempt, with the last error', async () => {
      const job = await started.jobs.enqueue(task(Work, 'alwaysFails'));
      await expect(job.result()).rejects.toMatchObject({
        name: 'JobFailedError',
        jobId: job.id,
        task: 'Work.alwaysFails',
        error: { name: 'TypeError', message: 'broken\ufffd for good', code: 'E_BROKEN' },
      });
      const status = await job.status();
      expect(status).toMatchObject({ state: 'failed', attempt: 2, maxAttempts: 2, terminal: true });
      expect(JSON.stringify(status)).not.toContain('conformance-spec');
    });

    it('does not try again after a NonRetryableError', async () => {
      const job = await started.jobs.enqueue(task(Work, 'givesUp'));
      await expect(job.result()).rejects.toMatchObject({ error: { name: 'NonRetryableError', code: 'E_NO_USE' } });
      expect((await job.status()).attempts).toHaveLength(1);
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

  describe('delayed start', () => {
    it('[S8] runs a job no earlier than its delay says', async () => {
      const job = await started.jobs.enqueue(task(Work, 'startedAt'), undefined, { delay: '300ms' });
      const waiting = await job.status();
      expect(waiting).toMatchObject({ state: 'scheduled', attempt: 0, terminal: false });
      expect(Date.parse(waiting.scheduledFor!) - Date.parse(waiting.createdAt)).toBe(300);
      const { startedAt, scheduledFor } = await job.result();
      expect(scheduledFor).toBe(waiting.scheduledFor);
      expect(startedAt).toBeGreaterThanOrEqual(Date.parse(scheduledFor!));
    });

    it('[S8] runs a job no earlier than runAt, as a Date and as a string; a past time means now', async () => {
      const runAt = new Date(Date.now() + 300);
      const jobs = await Promise.all([
        started.jobs.enqueue(task(Work, 'startedAt'), undefined, { runAt }),
        started.jobs.enqueue(task(Work, 'startedAt'), undefined, { runAt: runAt.toISOString() }),
      ]);
      for (const job of jobs) expect((await job.result()).startedAt).toBeGreaterThanOrEqual(runAt.getTime());
      const late = await started.jobs.enqueue(task(Work, 'startedAt'), undefined, { runAt: '2020-01-01T00:00:00Z' });
      expect((await late.result()).scheduledFor).toBeNull();
    });
  });

  describe('cancelling', () => {
    it('cancels a scheduled job, which never runs and still answers', async () => {
      const job = await started.jobs.enqueue(task(Work, 'echo'), 'never', { delay: '1h' });
      expect(await job.cancel({ reason: 'changed my mind' })).toBe(true);
      expect(await job.status()).toMatchObject({ state: 'cancelled', reason: 'changed my mind', terminal: true });
      await expect(job.result()).rejects.toThrow(JobCancelledError);
      await eventually(async () => expect((await job.status()).finishedAt).toMatch(ISO_UTC));
      expect(await job.status()).toMatchObject({ state: 'cancelled', reason: 'changed my mind', attempts: [] });
    });

    it('cancels a pending job behind a running one, and not the running one', async () => {
      const gate = Work.gate('blocker');
      const runningJob = await started.jobs.enqueue(task(Work, 'single'), { name: 'blocker', gate: 'blocker' });
      await gate.entered.reached;
      const pendingJob = await started.jobs.enqueue(task(Work, 'single'), { name: 'cancelled-before' });
      expect(await pendingJob.cancel()).toBe(true);
      expect(await pendingJob.cancel()).toBe(true);
      expect(await pendingJob.status()).toMatchObject({ state: 'cancelled' });
      expect(await runningJob.cancel()).toBe(false);
      gate.open.reach();
      expect(await runningJob.result()).toBeNull();
      expect(await runningJob.cancel()).toBe(false);
      expect(await runningJob.status()).toMatchObject({ state: 'succeeded' });
      await eventually(async () => expect((await pendingJob.status()).finishedAt).toBeDefined());
      expect(Work.order).not.toContain('cancelled-before');
    });
  });

  it('reports a job that waits for its next attempt as retrying, and lets it be cancelled', async () => {
    const patient = await started.jobs.enqueue(task(Slow, 'fails'));
    await reaches(patient.id, 'retrying');
    const status = await patient.status();
    expect(status).toMatchObject({ state: 'retrying', attempt: 1, terminal: false });
    expect(Date.parse(status.scheduledFor!)).toBeGreaterThan(Date.parse(status.attempts[0]!.endedAt!));
    expect(await patient.cancel()).toBe(true);
    await expect(patient.result()).rejects.toThrow(JobCancelledError);
  });
});
