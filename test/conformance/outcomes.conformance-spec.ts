import { JobFailedError, PayloadNotSerializableError, PayloadTooLargeError, task } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import type { JobsApp } from '../support/jobs-app.js';
import { Work, startWork } from '../support/work.js';

describe.each(backends)('payloads, results and failures on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startWork(backend);
  });
  afterAll(() => started?.close());

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
      const waits = [1, 2].map((n) => Date.parse(attempts[n]!.startedAt!) - Date.parse(attempts[n - 1]!.endedAt!));
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
});
