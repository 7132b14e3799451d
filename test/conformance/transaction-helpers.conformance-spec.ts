import { runMigrations } from 'bullmq';
import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres';
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js';
import knex from 'knex';
import type { SqlTransaction } from 'nestjs-jobs';
import { fromDrizzle, fromKnex, fromTypeOrm, NotInTransactionError } from 'nestjs-jobs/postgres';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { backends, postgresUrl, uniqueNamespace } from '../support/backends.js';
import { orms, type OrmDatabase } from '../support/orm-transactions.js';

const AWKWARD = [
  `it's "quoted", \`so\` \\'too\\'`,
  '? ?? \\? \\\\? ?| ?&',
  '$1 $2 $$ $tag$ ${name} \\$1',
  ':name ::jsonb :name: @name %s %L {} {1,2}',
  '-- no comment /* none */ ; DROP TABLE orders;',
  'tab\tnewline\r\nbackslash \\ \\n end\\',
  'Ünïcödé 漢字 😀 \u2028 \u007f',
  '',
];

describe('what is in no transaction is refused', () => {
  it('a DataSource, its manager, and a query runner that began nothing', () => {
    const database = new DataSource({ type: 'postgres' });
    const runner = database.createQueryRunner();
    // @ts-expect-error The compiler refuses it too.
    expect(() => fromTypeOrm(database)).toThrow(NotInTransactionError);
    expect(() => fromTypeOrm(database.manager)).toThrow(NotInTransactionError);
    expect(() => fromTypeOrm(runner.manager)).toThrow(NotInTransactionError);
    expect(() => fromTypeOrm(runner)).toThrow(
      'nestjs-jobs: fromTypeOrm was given a PostgresQueryRunner that is in no open transaction. Pass the manager of ' +
        'dataSource.transaction(async (manager) => ...), or a QueryRunner between startTransaction() and ' +
        'commitTransaction().',
    );
  });

  it('a Knex', () => {
    // @ts-expect-error The compiler refuses it too.
    expect(() => fromKnex(knex({ client: 'pg' }))).toThrow(
      new NotInTransactionError(
        'fromKnex',
        'a Knex that is no transaction',
        'the open trx of knex.transaction(async (trx) => ...)',
      ),
    );
  });

  it('a database of Drizzle', () => {
    // @ts-expect-error The compiler refuses it too.
    expect(() => fromDrizzle(drizzleNodePostgres.mock())).toThrow(NotInTransactionError);
    // @ts-expect-error The compiler refuses it too.
    expect(() => fromDrizzle(drizzlePostgresJs.mock())).toThrow(NotInTransactionError);
  });
});

// `describe.each` refuses an empty table.
if (backends.some(({ name }) => name === 'postgres')) {
  const schema = uniqueNamespace();
  let pool: Pool;

  beforeAll(async () => {
    pool = new Pool({ connectionString: postgresUrl() });
    const client = await pool.connect();
    await runMigrations(client, schema);
    await client.query(`CREATE TABLE "${schema}".orders (id text PRIMARY KEY)`);
    client.release();
  });
  afterAll(async () => {
    await pool.query(`DROP SCHEMA "${schema}" CASCADE`);
    await pool.end();
  });

  describe.each(orms)('a transaction of $name', ({ open }) => {
    let database: OrmDatabase;
    beforeAll(async () => {
      database = await open(postgresUrl(), schema);
    });
    afterAll(() => database?.close());

    /** The rows that one statement gives, in a transaction of its own. */
    async function rowsOf(text: string, values: unknown[]): Promise<unknown[]> {
      let rows: unknown[] = [];
      await database.inTransaction(async ({ transaction }) => {
        ({ rows } = await transaction.query(text, values));
      });
      return rows;
    }

    it('takes and gives values of every kind', async () => {
      const text = `SELECT $1::text AS string, $2::integer AS whole, $3::bigint::text AS large, $4::boolean AS yes,
        $5::boolean AS no, $6::text AS nothing, $7::jsonb AS nested, $8::text[] AS strings, $9::integer[] AS numbers`;
      const nested = { list: [1, null, { deep: true }], text: '{"a":"[1]"}' };
      const values = ['a', 7, 1_700_000_000_000, true, false, null, JSON.stringify(nested), ['x', 'y,"z"'], [1, 2]];
      expect(await rowsOf(text, values)).toEqual([
        {
          string: 'a',
          whole: 7,
          large: '1700000000000',
          yes: true,
          no: false,
          nothing: null,
          nested,
          strings: ['x', 'y,"z"'],
          numbers: [1, 2],
        },
      ]);
    });

    it('gives no rows, one and many, also of an UPDATE', async () => {
      expect(await rowsOf('SELECT 1 AS n WHERE $1', [false])).toEqual([]);
      expect(await rowsOf('SELECT n FROM generate_series(1, $1::integer) n', [2])).toEqual([{ n: 1 }, { n: 2 }]);
      expect(await rowsOf(`UPDATE "${schema}".orders SET id = id WHERE id = $1 RETURNING id`, ['none'])).toEqual([]);
    });

    it.each(AWKWARD)('keeps the text %j as it is', async (text) => {
      const values = [text, JSON.stringify({ [text]: text }), [text, text]];
      expect(await rowsOf('SELECT $1::text AS text, $2::jsonb AS json, $3::text[] AS list', values)).toEqual([
        { text, json: { [text]: text }, list: [text, text] },
      ]);
    });

    it('finds the parameters wherever they stand, and nothing else', async () => {
      const text = `-- Param: $1 says what? $2 too.
        SELECT /* $3 ? */ $2::text || $1::text || $2::text AS both, '$1 ? ''?' AS text, $3::jsonb ? 'key' AS has,
          $$?$1$$ AS quoted, 1 AS "a ? $1"`;
      expect(await rowsOf(text, ['b', 'a', '{"key":1}'])).toEqual([
        { both: 'aba', text: "$1 ? '?", has: true, quoted: '?$1', 'a ? $1': 1 },
      ]);
    });

    it('stores what was added when it commits', async () => {
      const jobs = await addedJobs(async (add) => {
        await database.inTransaction(async ({ transaction, insertOrder }) => {
          await insertOrder(add.order);
          expect(await add.all(transaction)).toEqual(add.ids);
          expect(await add.stored()).toEqual({ jobs: [], orders: 0 });
        });
      });
      const data = { texts: AWKWARD };
      const [one, two, three, four] = jobs.ids;
      expect(jobs.stored).toEqual({
        jobs: [one, two, three, four].map((id) => ({ id, data })),
        orders: 1,
      });
    });

    it('stores nothing when it rolls back', async () => {
      const undo = new Error('undo');
      const jobs = await addedJobs(async (add) => {
        const work = database.inTransaction(async ({ transaction, insertOrder }) => {
          await insertOrder(add.order);
          await add.all(transaction);
          throw undo;
        });
        await expect(work).rejects.toBe(undo);
      });
      expect(jobs.stored).toEqual({ jobs: [], orders: 0 });
    });

    it('rejects with the code and the detail that the database gave', async () => {
      const work = database.inTransaction(async ({ transaction }) => {
        await transaction.query(ADD_JOB, addJobValues(uniqueNamespace(), 'orphan', 'no-such-parent'));
      });
      await expect(work).rejects.toMatchObject({ code: 'BM001', detail: '-5' });
    });
  });

  const ADD_JOB = `-- Insert a single job; returns its id.
    SELECT "${schema}".add_job(
      $1, $2, $3, $4::jsonb, $5::jsonb, $6, $7, $8, $9,
      $10, $11, $12, $13, $14, $15
    ) AS id`;
  const ADD_BULK = `-- Param: $1 queue, $2 entries (jsonb array).
    SELECT id FROM "${schema}".add_jobs_bulk($1, $2::jsonb) AS t(id);\n`;
  const ADD_FLOW = `-- Param: $1 entries (jsonb array).
    SELECT id FROM "${schema}".add_flow($1::jsonb) AS t(id);\n`;

  /** In the shapes and the order in which BullMQ passes them. */
  function addJobValues(queue: string, id: string, parent: string | null = null): unknown[] {
    const data = JSON.stringify({ texts: AWKWARD });
    const parentKey = parent && `${queue}:${parent}`;
    return [queue, id, 'task', data, '{}', 0, 0, Date.now(), 1, parent && queue, parent, parentKey, null, null, false];
  }

  interface Adding {
    readonly order: string;
    readonly ids: string[];
    all(transaction: SqlTransaction): Promise<string[]>;
    stored(): Promise<{ jobs: { id: string; data: unknown }[]; orders: number }>;
  }

  /** Lets `use` add jobs to a queue of their own, in the three ways that BullMQ has, and says what is there then. */
  async function addedJobs(use: (add: Adding) => Promise<void>) {
    const queue = uniqueNamespace();
    const ids = ['job-1', 'job-2', 'job-3', 'job-4'] as const;
    const entry = (id: string) => ({
      queue,
      id,
      name: 'task',
      data: JSON.stringify({ texts: AWKWARD }),
      opts: {},
      timestamp: Date.now(),
    });
    const stored: Adding['stored'] = async () => {
      const jobs = await pool.query(`SELECT id, data FROM "${schema}".job WHERE queue = $1 ORDER BY id`, [queue]);
      const orders = await pool.query(`SELECT FROM "${schema}".orders WHERE id = $1`, [queue]);
      return { jobs: jobs.rows, orders: orders.rows.length };
    };
    await use({
      order: queue,
      ids: [...ids],
      stored,
      async all(transaction) {
        const bulk = JSON.stringify([entry(ids[1]), entry(ids[2])]);
        const answers = [
          await transaction.query(ADD_JOB, addJobValues(queue, ids[0])),
          await transaction.query(ADD_BULK, [queue, bulk]),
          await transaction.query(ADD_FLOW, [JSON.stringify([entry(ids[3])])]),
        ];
        return answers.flatMap(({ rows }) => rows.map((row) => (row as { id: string }).id));
      },
    });
    return { ids, stored: await stored() };
  }

  describe('a transaction that has ended is refused', () => {
    it('of TypeORM', async () => {
      const database = await new DataSource({ type: 'postgres', url: postgresUrl() }).initialize();
      const runner = database.createQueryRunner();
      await runner.startTransaction();
      const transaction = fromTypeOrm(runner);
      await runner.commitTransaction();
      await expect(transaction.query('SELECT 1', [])).rejects.toThrow(NotInTransactionError);
      expect(() => fromTypeOrm(runner)).toThrow(NotInTransactionError);
      await runner.release();
      await database.destroy();
    });

    it('of Knex', async () => {
      const database = knex({ client: 'pg', connection: postgresUrl() });
      const trx = await database.transaction();
      const transaction = fromKnex(trx);
      await trx.commit();
      await expect(transaction.query('SELECT 1', [])).rejects.toThrow(NotInTransactionError);
      expect(() => fromKnex(trx)).toThrow('committed or rolled back already');
      await database.destroy();
    });
  });
}
