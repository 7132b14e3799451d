import { readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { JobNotFoundError, Task, task, TransactionNotSupportedError, type JobHandle } from 'nestjs-jobs';
import { Client, Pool } from 'pg';
import { backends, postgresUrl, uniqueNamespace } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { orms, type OpenTransaction, type OrmDatabase } from '../support/orm-transactions.js';

let pool: Pool;
/** Where the orders are; the jobs have a schema of their own. */
const schema = uniqueNamespace();
const namespace = uniqueNamespace();

async function isOrderThere(order: string): Promise<boolean> {
  const { rows } = await pool.query(`SELECT FROM "${schema}".orders WHERE id = $1`, [order]);
  return rows.length === 1;
}

@Injectable()
class Orders {
  static ran: string[] = [];

  @Task()
  async placed({ order, step }: { order: string; step: string }): Promise<{ sawOrder: boolean }> {
    Orders.ran.push(`${order} ${step}`);
    return { sawOrder: await isOrderThere(order) };
  }
}

const placed = task(Orders, 'placed');

const postgres = backends.filter(({ name }) => name === 'postgres');
const others = backends.filter(({ name }) => name !== 'postgres');

// `describe.each` refuses an empty table.
if (others.length > 0) {
  describe.each(others)('jobs of a transaction on $name', (backend) => {
    it('are refused', async () => {
      const started = await startJobsApp({ backend, providers: [Orders] });
      const sent: string[] = [];
      const transaction = {
        query: async (text: string) => {
          sent.push(text);
          return { rows: [] };
        },
      };
      const payload = { order: 'none', step: 'none' };
      const one = started.jobs.enqueue(placed, payload, { transaction });
      await expect(one).rejects.toThrow(TransactionNotSupportedError);
      const many = started.jobs.enqueueMany([{ task: placed, payload }], { transaction });
      await expect(many).rejects.toThrow(TransactionNotSupportedError);
      expect(sent).toEqual([]);
      expect(await started.jobs.queue('default').getJobCountByTypes()).toBe(0);
      await started.close();
    });
  });
}

if (postgres.length > 0) {
  describe.each(postgres)('jobs of a transaction on $name', (backend) => {
    let started: JobsApp;

    beforeAll(async () => {
      pool = new Pool({ connectionString: postgresUrl() });
      await pool.query(`CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".orders (id text PRIMARY KEY)`);
      started = await startJobsApp({
        backend,
        providers: [Orders],
        options: { namespace, queues: { mails: { concurrency: 2 } } },
      });
    });
    afterAll(async () => {
      await started?.close();
      await pool.query(`DROP SCHEMA "${schema}" CASCADE`);
      await pool.end();
    });

    /** An order and its three jobs; then the proof that the workers are awake: a job from outside runs. */
    async function placeOrder(order: string, { transaction, insertOrder }: OpenTransaction) {
      await insertOrder(order);
      const first = await started.jobs.enqueue(placed, { order, step: 'first' }, { transaction });
      const others = await started.jobs.enqueueMany(
        [
          { task: placed, payload: { order, step: 'second' } },
          { task: placed, payload: { order, step: 'third' }, options: { queue: 'mails', priority: 9 } },
        ],
        { transaction },
      );
      for (const queue of ['default', 'mails']) {
        const outside = await started.jobs.enqueue(placed, { order, step: `outside in ${queue}` }, { queue });
        expect(await outside.result()).toEqual({ sawOrder: false });
      }
      const jobs = [first, ...others];
      await expectNothingBut(order, ['outside in default', 'outside in mails'], jobs);
      return jobs;
    }

    async function expectNothingBut(order: string, steps: string[], absent: JobHandle[]): Promise<void> {
      expect(Orders.ran.filter((run) => run.startsWith(order))).toEqual(steps.map((step) => `${order} ${step}`));
      expect(await isOrderThere(order)).toBe(false);
      for (const job of absent) await expect(job.status()).rejects.toThrow(JobNotFoundError);
    }

    describe.each(orms)('with $name', ({ open }) => {
      let database: OrmDatabase;
      beforeAll(async () => {
        database = await open(postgresUrl(), schema);
      });
      afterAll(() => database?.close());

      it('run after COMMIT, not before, and see what was written with them', async () => {
        const order = uniqueNamespace();
        let jobs: JobHandle[] = [];
        await database.inTransaction(async (transaction) => {
          jobs = await placeOrder(order, transaction);
        });
        const results = await Promise.all(jobs.map((job) => job.result()));
        expect(results).toEqual([{ sawOrder: true }, { sawOrder: true }, { sawOrder: true }]);
        const ran = Orders.ran.filter((run) => run.startsWith(order)).slice(2);
        expect(ran.toSorted()).toEqual(['first', 'second', 'third'].map((step) => `${order} ${step}`));
      });

      it('know by an id of the caller whether they were there before', async () => {
        const order = uniqueNamespace();
        const created = async (transaction?: OpenTransaction['transaction']): Promise<boolean[]> => {
          const [payload, options] = [{ order, step: 'named' }, { id: order }];
          const one = await started.jobs.enqueue(placed, payload, { ...options, ...(transaction && { transaction }) });
          const many = await started.jobs.enqueueMany([{ task: placed, payload, options }], { transaction });
          return [one.created, many[0].created];
        };
        await database.inTransaction(async ({ transaction, insertOrder }) => {
          await insertOrder(order);
          expect(await created(transaction)).toEqual([true, false]);
        });
        await database.inTransaction(async ({ transaction }) => {
          expect(await created(transaction)).toEqual([false, false]);
        });
        expect(await created()).toEqual([false, false]);
        expect(await started.jobs.job(`default_${order}`).result()).toEqual({ sawOrder: true });
      });

      it('are not there after ROLLBACK', async () => {
        const order = uniqueNamespace();
        const undo = new Error('undo');
        let jobs: JobHandle[] = [];
        const work = database.inTransaction(async (transaction) => {
          jobs = await placeOrder(order, transaction);
          throw undo;
        });
        await expect(work).rejects.toBe(undo);
        const after = await started.jobs.enqueue(placed, { order, step: 'after' });
        await after.result();
        await expectNothingBut(order, ['outside in default', 'outside in mails', 'after'], jobs);
      });
    });

    it('need of another role the rights that the guide names', async () => {
      const role = uniqueNamespace();
      const names: Record<string, string> = { jobs: namespace, shop: role, app: 'jobs' };
      const guide = readFileSync(new URL('../../docs/transactions.md', import.meta.url), 'utf8');
      const grants = /^```sql\n(?<grants>[^]*?)^```$/m.exec(guide)!.groups!['grants']!;
      await pool.query(
        `CREATE ROLE ${role} LOGIN; ${grants.replaceAll(/\b(jobs|shop|app)\b/g, (name) => names[name]!)}`,
      );
      const url = new URL(postgresUrl());
      url.username = role;
      const client = new Client({ connectionString: url.href });
      await client.connect();
      await client.query('BEGIN');
      const entry = (step: string) => ({ task: placed, payload: { order: role, step } });
      const one = await started.jobs.enqueue(placed, entry('one').payload, { transaction: client });
      const two = await started.jobs.enqueueMany([entry('two')], { transaction: client });
      await client.query('COMMIT');
      await client.end();
      await Promise.all([one, ...two].map((job) => job.result()));
      await pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    });
  });
}
