import type { Queue } from 'bullmq';
import pg from 'pg';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { CancelMark, QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, postgresUrl, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal } from '../support/signals.js';

const CONCURRENCIES = [1, 8, 32];

/** Does `work` for 0..count-1, `concurrency` of them at a time. */
async function inParallel<T>(count: number, concurrency: number, work: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lanes = Array.from({ length: concurrency }, async () => {
    while (next < count) {
      const n = next++;
      results[n] = await work(n);
    }
  });
  await Promise.all(lanes);
  return results;
}

/** The app's own pool is another way to the same server, with its own way of lending clients. */
const ofTheApp = { kind: "a pool of the app's on postgres", name: 'postgres' as const };
const contracts = [
  ...backends.map((backend) => ({ ...backend, kind: backend.name as string, end: async () => {} })),
  ...backends
    .filter(({ name }) => name === ofTheApp.name)
    .map(() => {
      let pool: pg.Pool | undefined;
      const postgres = (): pg.Pool => (pool ??= new pg.Pool({ connectionString: postgresUrl(), max: 4 }));
      return { ...ofTheApp, connection: () => ({ postgres: postgres() }), end: async () => pool?.end() };
    }),
];

describe.each(contracts)('the backend contract on $kind', ({ connection, end }) => {
  let backend: QueueBackend;

  beforeAll(async () => {
    const options = resolveOptions({ connection: connection()!, namespace: uniqueNamespace() });
    backend = await openBackend(options, new MemoryLogger());
    await backend.whenReady(5_000);
  });
  afterAll(async () => {
    await backend?.close(5_000);
    await end();
  });

  describe('ledger', () => {
    const values = [0, 'text', '', true, null, [1, [2]], { nested: { list: [] } }];

    it('gives back what was put, the latest of it', async () => {
      for (const value of values) {
        await backend.ledger.put('plain', 'key', value);
        expect(await backend.ledger.get('plain', 'key')).toEqual({ key: 'key', value });
      }
      expect(await backend.ledger.get('plain', 'other')).toBeUndefined();
      expect(await backend.ledger.get('other', 'key')).toBeUndefined();
    });

    it('lists the records of one collection by key', async () => {
      for (const key of ['b', 'a:1', 'B', 'ä']) await backend.ledger.put('listed', key, key);
      await backend.ledger.put('listed-not', 'c', 1);
      expect((await backend.ledger.list('listed')).map(({ key }) => key)).toEqual(['B', 'a:1', 'b', 'ä']);
      expect(await backend.ledger.list('nothing')).toEqual([]);
    });

    it('deletes, and says whether there was something', async () => {
      await backend.ledger.put('deleted', 'key', 1);
      expect(await backend.ledger.delete('deleted', 'key')).toBe(true);
      expect(await backend.ledger.delete('deleted', 'key')).toBe(false);
      expect(await backend.ledger.list('deleted')).toEqual([]);
    });

    it('forgets a record when its time to live is over, and lets another take its place', async () => {
      await backend.ledger.put('expiring', 'soon', 1, 30);
      await backend.ledger.put('expiring', 'late', 2, 60_000);
      await eventually(async () => expect(await backend.ledger.get('expiring', 'soon')).toBeUndefined());
      expect(await backend.ledger.list('expiring')).toEqual([{ key: 'late', value: 2 }]);
      expect(await backend.ledger.delete('expiring', 'soon')).toBe(false);
      expect(await backend.ledger.putIfAbsent('expiring', 'soon', 3)).toBeUndefined();
      expect(await backend.ledger.get('expiring', 'soon')).toEqual({ key: 'soon', value: 3 });
    });

    it('puts a record anew without the time to live that it had', async () => {
      await backend.ledger.put('renewed', 'key', 1, 30);
      await backend.ledger.put('renewed', 'key', 2);
      await backend.ledger.put('renewed', 'witness', 1, 40);
      await eventually(async () => expect(await backend.ledger.get('renewed', 'witness')).toBeUndefined());
      expect(await backend.ledger.get('renewed', 'key')).toEqual({ key: 'key', value: 2 });
    });

    it.each(CONCURRENCIES)('lets exactly one of many claim a key, at concurrency %i', async (concurrency) => {
      const collection = `claims-${concurrency}`;
      const answers = await inParallel(200, concurrency, async (n) => {
        const key = `key-${Math.floor(n / 10)}`;
        return { key, mine: n, existing: await backend.ledger.putIfAbsent(collection, key, n) };
      });
      const winners = answers.filter(({ existing }) => !existing);
      expect(winners.map(({ key }) => key).sort()).toEqual([...new Set(answers.map(({ key }) => key))].sort());
      for (const { key, existing } of answers) {
        if (existing) expect(existing).toEqual({ key, value: winners.find((winner) => winner.key === key)!.mine });
      }
    });

    it.each(CONCURRENCIES)('keeps every one of many records, at concurrency %i', async (concurrency) => {
      const collection = `many-${concurrency}`;
      await inParallel(300, concurrency, (n) => backend.ledger.put(collection, String(n), n, 60_000));
      const values = (await backend.ledger.list(collection)).map(({ value }) => value as number);
      expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n));
    });
  });

  describe('queues', () => {
    it.each(CONCURRENCIES)('[C2] runs every job once and tells of its end, at concurrency %i', async (concurrency) => {
      const name = `work-${concurrency}`;
      const queue = backend.createQueue(name);
      const events = backend.createQueueEvents(name);
      await events.waitUntilReady();
      const runs = new Map<string, number>();
      const worker = backend.createWorker(
        name,
        async (job, _token) => {
          runs.set(job.id!, (runs.get(job.id!) ?? 0) + 1);
          return job.data.n * 2;
        },
        { concurrency, lease: 30_000 },
      );
      const drained = signal();
      let completed = 0;
      worker.on('completed', () => {
        if (++completed === 200) drained.reach();
      });
      const running = worker.run();
      await inParallel(200, concurrency, (n) => queue.add('double', { n }, { jobId: `job-${n}` }));
      await drained.reached;
      expect([...runs.values()]).toEqual(Array(200).fill(1));
      const jobs = await inParallel(200, concurrency, (n) => queue.getJob(`job-${n}`));
      expect(jobs.map((job) => job?.returnvalue)).toEqual(Array.from({ length: 200 }, (_, n) => n * 2));
      // Not as BullMQ made it: see pending-promises.ts, which does nothing when this has moved.
      const { mainLoopQueue } = worker as unknown as { mainLoopQueue: { pending: { readonly size: number } } };
      expect(mainLoopQueue.pending).not.toBeInstanceOf(Set);
      expect(mainLoopQueue.pending.size).toBeLessThanOrEqual(concurrency);
      await worker.close();
      await running;
      await Promise.all([events.close(), queue.close()]);
    });

    it('[C8] lets a worker that closes fetch nothing, also when it was about to', async () => {
      const queue = backend.createQueue('closing');
      await queue.add('job', {}, { jobId: 'job_1' });
      const worker = backend.createWorker('closing', async (_job, _token) => null, { concurrency: 1, lease: 30_000 });
      const closed = worker.close();
      const fetch = worker as unknown as { moveToActive(token: string): Promise<unknown> };
      expect(await fetch.moveToActive('token')).toBeUndefined();
      expect(await queue.getJobState('job_1')).toBe('waiting');
      await closed;
      await queue.close();
    });

    it.each(CONCURRENCIES)('tells who waits of an end without polling, at concurrency %i', async (concurrency) => {
      const name = `events-${concurrency}`;
      const queue = backend.createQueue(name);
      const events = backend.createQueueEvents(name);
      await events.waitUntilReady();
      const seen = new Set<string>();
      events.on('completed', ({ jobId }) => seen.add(jobId));
      const worker = backend.createWorker(name, async (_job, _token) => null, { concurrency, lease: 30_000 });
      const running = worker.run();
      // The stream is read from its end: an event of a first job shows that the reading has begun.
      await eventually(async () => {
        await queue.add('first', {});
        expect(seen.size).toBeGreaterThan(0);
      });
      await inParallel(100, concurrency, (n) => queue.add('job', {}, { jobId: `job-${n}` }));
      await eventually(() => expect([...seen].filter((id) => id.startsWith('job-'))).toHaveLength(100));
      await worker.close();
      await running;
      await Promise.all([events.close(), queue.close()]);
    });
  });

  it('makes flows: a parent runs after its children, with what they gave', async () => {
    const flows = backend.createFlowProducer();
    const worker = backend.createWorker(
      'flows',
      async (job, _token) => (job.name === 'child' ? job.data.n : Object.values(await job.getChildrenValues())),
      { concurrency: 2, lease: 30_000 },
    );
    const ended = signal<unknown>();
    worker.on('completed', (job, result) => {
      if (job.name === 'parent') ended.reach(result);
    });
    const running = worker.run();
    const children = [1, 2].map((n) => ({ name: 'child', queueName: 'flows', data: { n } }));
    await flows.add({ name: 'parent', queueName: 'flows', children });
    expect((await ended.reached) as number[]).toEqual(expect.arrayContaining([1, 2]));
    await worker.close();
    await running;
    await flows.close();
  });

  describe('markCancelled', () => {
    let queue: Queue;
    beforeAll(() => (queue = backend.createQueue('cancelled')));
    afterAll(() => queue.close());

    function mark(id: string, waiting: string): Promise<CancelMark[]> {
      const text = `mark ${waiting}`;
      return backend.markCancelled(queue, [id], { waiting: text, active: `${text}, active`, beginning: 'mark ' });
    }

    it('marks what waits or is delayed, and keeps the first mark', async () => {
      await queue.add('job', {}, { jobId: 'job_waits', priority: 5 });
      await queue.add('job', {}, { jobId: 'job_delayed', delay: 3_600_000 });
      expect(await mark('job_waits', 'first')).toEqual(['marked']);
      expect(await mark('job_waits', 'second')).toEqual(['marked']);
      expect(await mark('job_delayed', 'first')).toEqual(['marked']);
      expect(await queue.getJob('job_waits')).toMatchObject({
        deferredFailure: 'mark first',
        failedReason: 'mark first',
      });
      expect(await queue.getJobState('job_delayed')).not.toBe('delayed');
      expect(await mark('job_absent', 'x')).toEqual(['missing']);
    });

    it('marks many, each by what it is, and reads the marks', async () => {
      const name = 'cancelled-many';
      const many = backend.createQueue(name);
      const [entered, open] = [signal(), signal()];
      const worker = backend.createWorker(
        name,
        async (job, _token) => {
          if (job.id !== 'job_runs') return;
          entered.reach();
          await open.reached;
        },
        { concurrency: 1, lease: 30_000 },
      );
      await many.add('job', { t: ['ended'] }, { jobId: 'job_ended', priority: 1 });
      await many.add('job', { t: ['runs'], p: 1 }, { jobId: 'job_runs', priority: 2 });
      await many.add('job', { t: ['waits'] }, { jobId: 'job_waits', priority: 3 });
      await many.add('job', { p: 1 }, { jobId: 'job_bare', priority: 3 });
      await many.add('job', null, { jobId: 'job_null', priority: 3 });
      const running = worker.run();
      await entered.reached;
      const ids = ['job_waits', 'job_absent', 'job_runs', 'job_ended'];
      const marks = { waiting: 'mark: cancelled', active: 'mark: asked to stop', beginning: 'mark' };
      const found: CancelMark[] = ['marked', 'missing', 'active', 'finished'];
      const others = Array.from({ length: 100 }, (_, n) => `job_absent_${n}`);
      expect(await backend.readUnfinished(many, [...ids, 'job_bare', 'job_null'], 't')).toEqual([
        ['waits'],
        undefined,
        ['runs'],
        undefined,
        undefined,
        undefined,
      ]);
      expect(await backend.markCancelled(many, ids, marks)).toEqual(found);
      expect(await backend.markCancelled(many, [...others, ...ids], marks)).toEqual([
        ...others.map(() => 'missing'),
        ...found,
      ]);
      expect(await backend.deferredFailures(many, ids)).toEqual([marks.waiting, undefined, marks.active, undefined]);
      open.reach();
      await eventually(async () =>
        expect(await many.getJobCounts('completed', 'failed')).toEqual({ completed: 4, failed: 1 }),
      );
      await worker.close();
      await running;
      await many.close();
    });

    it('counts the lines of logs', async () => {
      const told = backend.createQueue('told');
      const lines = { job_silent: 0, job_one: 1, job_three: 3 };
      for (const [jobId, count] of Object.entries(lines)) {
        const job = await told.add('job', {}, { jobId });
        for (let n = 0; n < count; n++) await job.log(`line ${n}`);
      }
      const ids = ['job_three', 'job_absent', 'job_silent', 'job_one'];
      expect(await backend.countLogLines(told, ids)).toEqual([3, 0, 0, 1]);
      await told.close();
    });

    it.each(CONCURRENCIES)('never both runs and cancels a job, at concurrency %i', async (concurrency) => {
      const name = `race-${concurrency}`;
      const raced = backend.createQueue(name);
      const ran = new Set<string>();
      const worker = backend.createWorker(
        name,
        async (job, _token) => {
          ran.add(job.id!);
        },
        { concurrency, lease: 30_000 },
      );
      const running = worker.run();
      const ids = Array.from({ length: 200 }, (_, n) => `job-${n}`);
      const marks = await inParallel(200, concurrency, async (n) => {
        await raced.add('job', {}, { jobId: ids[n]! });
        const [found] = await backend.markCancelled(raced, [ids[n]!], {
          waiting: 'cancelled',
          active: 'asked to stop',
          beginning: 'cancelled',
        });
        return found;
      });
      await eventually(async () => {
        const { completed = 0, failed = 0 } = await raced.getJobCounts('completed', 'failed');
        expect(completed + failed).toBe(200);
      });
      for (const [n, id] of ids.entries()) {
        const { marked, failed } = { marked: marks[n] === 'marked', failed: await raced.getJobState(id) };
        expect({ id, ran: ran.has(id), state: failed }).toEqual({
          id,
          ran: !marked,
          state: marked ? 'failed' : 'completed',
        });
      }
      await worker.close();
      await running;
      await raced.close();
    });
  });
});
