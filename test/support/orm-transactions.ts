import { drizzle as drizzleNodePostgres, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { pgSchema, text } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePostgresJs, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import knex from 'knex';
import type { SqlTransaction } from 'nestjs-jobs';
import { fromDrizzle, fromKnex, fromTypeOrm } from 'nestjs-jobs/postgres';
import { Pool } from 'pg';
import postgres from 'postgres';
import { DataSource, EntitySchema } from 'typeorm';

/** What a test does in a transaction of a library: as `enqueue` gets it, and with the library's own way to write. */
export interface OpenTransaction {
  readonly transaction: SqlTransaction;
  readonly insertOrder: (id: string) => Promise<unknown>;
}

/** A library that talks to Postgres, on the server at `url`, with a table "orders" in `schema`. */
export interface OrmDatabase {
  /** Commits what `work` did; when it throws, rolls it back and throws the same. */
  inTransaction(work: (open: OpenTransaction) => Promise<void>): Promise<void>;
  close(): Promise<unknown>;
}

export type OpenOrm = (url: string, schema: string) => OrmDatabase | Promise<OrmDatabase>;

/** For `describe.each(orms)('... of $name', ...)`. */
export const orms: { name: string; open: OpenOrm }[] = [
  { name: 'pg', open: openPg },
  { name: 'TypeORM (manager)', open: openTypeOrmManager },
  { name: 'TypeORM (query runner)', open: openTypeOrmRunner },
  { name: 'Knex', open: openKnex },
  {
    name: 'Drizzle on node-postgres',
    open: (url, schema) => {
      const pool = new Pool({ connectionString: url });
      return openDrizzle(drizzleNodePostgres(pool), schema, () => pool.end());
    },
  },
  {
    name: 'Drizzle on postgres-js',
    open: (url, schema) => {
      // By default it prints every notice, such as those of add_jobs_bulk.
      const client = postgres(url, { onnotice: () => {} });
      return openDrizzle(drizzlePostgresJs(client), schema, () => client.end());
    },
  },
];

function openPg(url: string, schema: string): OrmDatabase {
  const pool = new Pool({ connectionString: url });
  return {
    async inTransaction(work) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const insertOrder = (id: string) => client.query(`INSERT INTO "${schema}".orders (id) VALUES ($1)`, [id]);
        await work({ transaction: client, insertOrder });
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    },
    close: () => pool.end(),
  };
}

async function connectTypeOrm(url: string, schema: string) {
  const columns = { id: { type: 'text', primary: true } } as const;
  const Order = new EntitySchema<{ id: string }>({ name: 'Order', tableName: 'orders', schema, columns });
  const database = await new DataSource({ type: 'postgres', url, entities: [Order] }).initialize();
  return { Order, database };
}

async function openTypeOrmManager(url: string, schema: string): Promise<OrmDatabase> {
  const { Order, database } = await connectTypeOrm(url, schema);
  return {
    inTransaction: (work) =>
      database.transaction((manager) =>
        work({ transaction: fromTypeOrm(manager), insertOrder: (id) => manager.insert(Order, { id }) }),
      ),
    close: () => database.destroy(),
  };
}

async function openTypeOrmRunner(url: string, schema: string): Promise<OrmDatabase> {
  const { Order, database } = await connectTypeOrm(url, schema);
  return {
    async inTransaction(work) {
      const runner = database.createQueryRunner();
      try {
        await runner.startTransaction();
        const insertOrder = (id: string) => runner.manager.insert(Order, { id });
        await work({ transaction: fromTypeOrm(runner), insertOrder });
        await runner.commitTransaction();
      } catch (error) {
        await runner.rollbackTransaction();
        throw error;
      } finally {
        await runner.release();
      }
    },
    close: () => database.destroy(),
  };
}

function openKnex(url: string, schema: string): OrmDatabase {
  const database = knex({ client: 'pg', connection: url });
  return {
    inTransaction: (work) =>
      database.transaction((trx) => {
        const insertOrder = async (id: string) => trx('orders').withSchema(schema).insert({ id });
        return work({ transaction: fromKnex(trx), insertOrder });
      }),
    close: () => database.destroy(),
  };
}

function openDrizzle(
  database: NodePgDatabase | PostgresJsDatabase,
  schema: string,
  close: () => Promise<void>,
): OrmDatabase {
  const orders = pgSchema(schema).table('orders', { id: text('id').primaryKey() });
  return {
    inTransaction: (work) =>
      database.transaction((tx) =>
        work({ transaction: fromDrizzle(tx), insertOrder: async (id) => tx.insert(orders).values({ id }) }),
      ),
    close,
  };
}
