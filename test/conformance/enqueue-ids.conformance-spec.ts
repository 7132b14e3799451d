import { Injectable } from '@nestjs/common';
import { JobNotFoundError, Task, task, type EnqueueOptions, type JobHandle } from 'nestjs-jobs';
import { accepted } from 'nestjs-jobs/http';
import { Pool, type PoolClient } from 'pg';
import { backends, postgresUrl, uniqueNamespace, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

@Injectable()
class Counted {
  static ran: string[] = [];

  @Task()
  run(payload: { name: string }): string {
    Counted.ran.push(payload.name);
    return payload.name;
  }
}

const run = task(Counted, 'run');

function start(backend: TestBackend, options = {}): Promise<JobsApp> {
  const queues = { other: {} };
  return startJobsApp({
    backend,
    providers: [Counted],
    options: { queues, connectTimeout: '10s', ...options },
  });
}

/** The one that made the job, among handles of one id; fails when there is not exactly one. */
function creatorOf(handles: readonly JobHandle[]): number {
  const creators = handles.flatMap(({ created }, n) => (created ? [n] : []));
  expect(creators).toHaveLength(1);
  expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
  return creators[0]!;
}

describe.each(backends)('ids of the caller on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await start(backend);
  });
  afterAll(() => started?.close());
  beforeEach(() => {
    Counted.ran = [];
  });

  const enqueue = (name: string, options: EnqueueOptions): Promise<JobHandle<string>> =>
    started.jobs.enqueue(run, { name }, options);

  it('make one job of one id, and give every later call the first', async () => {
    const first = await enqueue('first', { id: 'order-1.A_b' });
    expect(first).toMatchObject({ id: 'default_order-1.A_b', created: true });
    expect(await first.result()).toBe('first');
    const second = await enqueue('second', { id: 'order-1.A_b', headers: { from: 'second' }, priority: 9 });
    expect(second).toMatchObject({ id: 'default_order-1.A_b', created: false });
    expect(await second.result()).toBe('first');
    expect(Counted.ran).toEqual(['first']);
    expect((await second.status()).attempts).toHaveLength(1);
    expect(accepted(second).toJSON()).toEqual({ id: second.id, state: 'succeeded' });
  });

  it('know a job that waits for its time, and do not touch it', async () => {
    const first = await enqueue('first', { id: 'later', delay: '1h' });
    const second = await enqueue('second', { id: 'later' });
    expect(accepted(second).toJSON()).toEqual({ id: first.id, state: 'scheduled' });
    expect(second.created).toBe(false);
    const status = await second.status();
    expect(Date.parse(status.scheduledFor!) - Date.parse(status.createdAt)).toBe(3_600_000);
    await first.cancel();
    expect(accepted(await enqueue('third', { id: 'later' })).toJSON().state).toBe('cancelled');
  });

  it('tell exactly one of many calls at the same time that it made the job', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `racer ${n}`);
    const handles = await Promise.all(names.map((name) => enqueue(name, { id: 'race' })));
    const winner = names[creatorOf(handles)];
    expect(await Promise.all(handles.map((job) => job.result()))).toEqual(names.map(() => winner));
    expect(Counted.ran).toEqual([winner]);
  });

  it('are as good in a list, also twice in one', async () => {
    const before = await enqueue('before', { id: 'many-1' });
    const handles = await started.jobs.enqueueMany(
      ['many-1', 'many-2', 'many-2', undefined, 'many-3'].map((id, n) => ({
        task: run,
        payload: { name: `entry ${n}` },
        options: { id },
      })),
    );
    expect(handles.map(({ created }) => created)).toEqual([false, true, false, true, true]);
    expect(handles.map(({ id }) => id)).toEqual([
      before.id,
      'default_many-2',
      'default_many-2',
      expect.stringMatching(/^default_[0-9a-f]{8}-/),
      'default_many-3',
    ]);
    expect(await Promise.all(handles.map((job) => job.result()))).toEqual([
      'before',
      'entry 1',
      'entry 1',
      'entry 3',
      'entry 4',
    ]);
    expect(Counted.ran.toSorted()).toEqual(['before', 'entry 1', 'entry 3', 'entry 4']);
  });

  it('are those of a queue, and mean nothing in another', async () => {
    const one = await enqueue('default', { id: 'same' });
    const other = await enqueue('other', { id: 'same', queue: 'other' });
    expect([one.id, other.id]).toEqual(['default_same', 'other_same']);
    expect([one.created, other.created]).toEqual([true, true]);
  });

  it('are not needed: what has an id of ours is always made, and a handle by id makes nothing', async () => {
    const [one, other] = [await enqueue('x', {}), await enqueue('x', {})];
    expect([one.created, other.created]).toEqual([true, true]);
    expect(one.id).not.toBe(other.id);
    expect(started.jobs.job(one.id).created).toBe(false);
    await Promise.all([one.result(), other.result()]);
  });

  it('are free again when the job is not kept any more, for exactly one call', async () => {
    const { jobs, close } = await start(backend, { results: { keepFor: '1s' } });
    const first = await jobs.enqueue(run, { name: 'first' }, { id: 'again' });
    await first.result();
    await eventually(() => expect(first.status()).rejects.toThrow(JobNotFoundError));
    const names = Array.from({ length: 10 }, (_, n) => `again ${n}`);
    const handles = await Promise.all(names.map((name) => jobs.enqueue(run, { name }, { id: 'again' })));
    const winner = names[creatorOf(handles)];
    expect(await handles[0]!.result()).toBe(winner);
    expect(Counted.ran).toEqual(['first', winner]);
    await eventually(() => expect(first.status()).rejects.toThrow(JobNotFoundError));
    const texts = ['many', 'more'];
    const entries = texts.map((name) => ({ task: run, payload: { name }, options: { id: 'again' } }));
    const maker = creatorOf(await jobs.enqueueMany(entries));
    expect(await first.result()).toBe(texts[maker]);
    await close();
  });
});

const postgres = backends.filter(({ name }) => name === 'postgres');

// `describe.each` refuses an empty table.
if (postgres.length > 0) {
  describe.each(postgres)('ids of the caller in a transaction on $name', (backend) => {
    let started: JobsApp;
    let pool: Pool;
    beforeAll(async () => {
      started = await start(backend, { namespace: uniqueNamespace() });
      pool = new Pool({ connectionString: postgresUrl() });
    });
    afterAll(async () => {
      await started?.close();
      await pool?.end();
    });

    type End = 'COMMIT' | 'ROLLBACK';

    async function transacted(end: End, work: (transaction: PoolClient) => Promise<void>): Promise<void> {
      const transaction = await pool.connect();
      await transaction.query('BEGIN');
      await work(transaction);
      await transaction.query(end);
      transaction.release();
    }

    /** Statements, for the end of a transaction. Other tests may run on this server, with no such waits. */
    async function untilWaiting(count: number): Promise<void> {
      await eventually(async () => {
        const { rows } = await pool.query(`SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'`);
        expect(rows).toHaveLength(count);
      });
    }

    const enqueue = (name: string, id: string, transaction?: PoolClient): Promise<JobHandle<string>> =>
      started.jobs.enqueue(run, { name }, { id, transaction });

    it('know the job that the transaction itself made, and whose it is after COMMIT', async () => {
      await transacted('COMMIT', async (transaction) => {
        const handles = [await enqueue('first', 'own', transaction), await enqueue('second', 'own', transaction)];
        expect(handles.map(({ created }) => created)).toEqual([true, false]);
        const entries = ['third', 'fourth'].map((name) => ({ task: run, payload: { name }, options: { id: name } }));
        const many = [...entries, entries[0]!, { ...entries[0]!, options: { id: 'own' } }];
        const together = await started.jobs.enqueueMany(many, { transaction });
        expect(together.map(({ created }) => created)).toEqual([true, true, false, false]);
      });
      const after = await enqueue('after', 'own');
      expect(after.created).toBe(false);
      expect(await after.result()).toBe('first');
    });

    it('wait for a transaction that has the id, and see what becomes of it', async () => {
      for (const [end, created] of [
        ['COMMIT', false],
        ['ROLLBACK', true],
      ] as const) {
        let outside: Promise<JobHandle<string>>;
        await transacted(end, async (transaction) => {
          expect((await enqueue('inside', `awaited-${end}`, transaction)).created).toBe(true);
          outside = enqueue('outside', `awaited-${end}`);
          await untilWaiting(1);
        });
        expect((await outside!).created).toBe(created);
        expect(await (await outside!).result()).toBe(created ? 'outside' : 'inside');
      }
    });

    it('are stored by two lists that name them in opposite orders, and wait for each other in Postgres', async () => {
      const ids = ['crossing-1', 'crossing-2', 'crossing-3'];
      const list = (names: string[]): Promise<JobHandle[]> =>
        started.jobs.enqueueMany(names.map((id) => ({ task: run, payload: { name: id }, options: { id } })));
      let lists: Promise<JobHandle[][]>;
      await transacted('ROLLBACK', async (transaction) => {
        // Both lists have stored their first job when they wait for this one, and then want that of the other.
        await enqueue('held', 'crossing-2', transaction);
        lists = Promise.all([list(ids), list(ids.toReversed())]);
        await untilWaiting(2);
      });
      const handles = (await lists!).flat();
      for (const id of ids) creatorOf(handles.filter((job) => job.id === `default_${id}`));
      await Promise.all(handles.map((job) => job.result()));
    });

    it('are free again in a transaction when the job is not kept any more', async () => {
      const short = await start(backend, { results: { keepFor: '1s' } });
      const first = await short.jobs.enqueue(run, { name: 'first' }, { id: 'gone' });
      await first.result();
      await eventually(() => expect(first.status()).rejects.toThrow(JobNotFoundError));
      await transacted('COMMIT', async (transaction) => {
        const options = { id: 'gone', transaction };
        const calls = [
          await short.jobs.enqueue(run, { name: 'second' }, options),
          await short.jobs.enqueue(run, { name: 'third' }, options),
        ];
        expect(calls.map(({ created }) => created)).toEqual([true, false]);
      });
      expect(await first.result()).toBe('second');
      await short.close();
    });
  });
}
