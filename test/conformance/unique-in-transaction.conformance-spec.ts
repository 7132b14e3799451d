import { DuplicateJobError, TransactionNotSupportedError, type EnqueueOptions, type JobHandle } from 'nestjs-jobs';
import { Pool, type PoolClient } from 'pg';
import { backends, postgresUrl } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { Keyed, run, startKeyed } from '../support/keyed.js';

const postgres = backends.filter(({ name }) => name === 'postgres');

// `describe.each` refuses an empty table.
if (postgres.length > 0) {
  describe.each(postgres)('unique jobs in a transaction on $name', (backend) => {
    let started: JobsApp;
    let pool: Pool;
    let keys = 0;
    let key: string;
    beforeAll(async () => {
      started = await startKeyed(backend);
      pool = new Pool({ connectionString: postgresUrl() });
    });
    afterAll(async () => {
      await started?.close();
      await pool?.end();
    });
    beforeEach(() => {
      Keyed.reset();
      key = `key ${++keys}`;
    });

    async function transacted(end: 'COMMIT' | 'ROLLBACK', work: (transaction: PoolClient) => Promise<void>) {
      const transaction = await pool.connect();
      try {
        await transaction.query('BEGIN');
        await work(transaction);
        await transaction.query(end);
      } finally {
        transaction.release();
      }
    }

    const enqueue = (text: string, options: EnqueueOptions): Promise<JobHandle<string>> =>
      started.jobs.enqueue(run, { text }, options);

    /** Other tests may run on this server, with no such waits. */
    const untilOneWaits = (): Promise<unknown> =>
      eventually(async () => {
        const { rows } = await pool.query(`SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'`);
        expect(rows).toHaveLength(1);
      });

    it('[I4] know the job that the transaction itself made, and those that were there', async () => {
      const unique = { key };
      const before = await enqueue('before', { unique: { key: `${key} before` }, delay: '1h' });
      await transacted('COMMIT', async (transaction) => {
        const first = await enqueue('first', { unique, transaction });
        const second = await enqueue('second', { unique, transaction });
        expect([first.created, second.created]).toEqual([true, false]);
        expect(second.id).toBe(first.id);
        const others = await started.jobs.enqueueMany(
          [key, `${key} before`, `${key} new`, `${key} new`].map((each) => ({
            task: run,
            payload: { text: each },
            options: { unique: { key: each } },
          })),
          { transaction },
        );
        expect(others.map(({ created }) => created)).toEqual([false, false, true, false]);
        expect(others[1]!.id).toBe(before.id);
        const rejected = enqueue('x', { unique: { key, onConflict: 'reject' }, transaction });
        await expect(rejected).rejects.toThrow(DuplicateJobError);
      });
      await eventually(() => expect([...Keyed.ran].sort()).toEqual(['first', `${key} new`].sort()));
      await before.cancel();
    });

    it('[I4] make others wait for the end of the transaction, and see what comes of it', async () => {
      for (const end of ['COMMIT', 'ROLLBACK'] as const) {
        const unique = { key: `${key} ${end}` };
        let outside: Promise<JobHandle<string>>;
        await transacted(end, async (transaction) => {
          expect((await enqueue('inside', { unique, transaction, delay: '1h' })).created).toBe(true);
          outside = enqueue('outside', { unique, delay: '1h' });
          await untilOneWaits();
        });
        const job = await outside!;
        expect(job.created).toBe(end === 'ROLLBACK');
        await job.cancel();
      }
    });

    it('[I4] replace a job for those who see the transaction, and for all after COMMIT', async () => {
      const unique = { key, onConflict: 'replace' } as const;
      const first = await enqueue('first', { unique, delay: '1h' });
      await transacted('ROLLBACK', async (transaction) => {
        const replaced = await enqueue('rolled back', { unique, transaction });
        expect(replaced).toMatchObject({ id: first.id, created: false });
        expect((await first.status()).state).toBe('scheduled');
      });
      expect((await first.status()).state).toBe('scheduled');
      await transacted('COMMIT', async (transaction) => {
        await enqueue('second', { unique, transaction, delay: '2h' });
        await enqueue('third', { unique, transaction });
      });
      expect(await first.result()).toBe('third');
      expect(Keyed.ran).toEqual(['third']);
    });

    it('[I4] debounce in a transaction, whatever its search_path is', async () => {
      const debounce = { key, wait: '1h' } as const;
      const first = await enqueue('first', { debounce });
      await transacted('COMMIT', async (transaction) => {
        await transaction.query('SET LOCAL search_path TO pg_catalog');
        const again = await enqueue('second', { debounce: { key, wait: 1 }, transaction });
        expect(again).toMatchObject({ id: first.id, created: false });
      });
      expect(await first.result()).toBe('second');
    });

    it('[I4] take the key of a job that was cancelled, or has begun', async () => {
      const cancelled = await enqueue('cancelled', { unique: { key }, queue: 'idle' });
      await cancelled.cancel();
      const held = Keyed.hold('running');
      const options = { debounce: { key: `${key} d`, wait: 1 } };
      const running = await enqueue('running', options);
      await held.begun;
      await transacted('COMMIT', async (transaction) => {
        expect((await enqueue('next', { unique: { key }, queue: 'idle', transaction })).created).toBe(true);
        expect((await enqueue('next', { ...options, transaction })).created).toBe(true);
      });
      held.go();
      await running.result();
      await eventually(() => expect(Keyed.ran).toEqual(['running', 'next']));
      await started.jobs.purge('idle');
    });

    it('[I4] throttle', async () => {
      const throttle = { key, every: '1h' } as const;
      const first = await enqueue('first', { throttle });
      await first.result();
      await transacted('COMMIT', async (transaction) => {
        const dropped = await enqueue('second', { throttle, transaction });
        expect(dropped).toMatchObject({ id: first.id, created: false });
      });
    });
  });
}

const others = backends.filter(({ name }) => name !== 'postgres');

if (others.length > 0) {
  describe.each(others)('unique jobs in a transaction on $name', (backend) => {
    it('[I4] are refused, since there are none, and leave the key free', async () => {
      const { jobs, close } = await startKeyed(backend);
      const transaction = { query: () => Promise.resolve({ rows: [] }) } as unknown as PoolClient;
      const unique = { key: 'key' };
      const refused = jobs.enqueue(run, { text: 'a' }, { unique, transaction });
      await expect(refused).rejects.toThrow(TransactionNotSupportedError);
      expect((await jobs.enqueue(run, { text: 'b' }, { unique })).created).toBe(true);
      await close();
    });
  });
}
