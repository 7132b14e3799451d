import type { SQL, SQLWrapper } from 'drizzle-orm';
import { importPeer } from '../backend/import-peer.js';
import type { SqlTransaction } from '../backend/sql-transaction.js';
import { NotInTransactionError } from './not-in-transaction.error.js';
import { splitAtParameters } from './split-at-parameters.js';

/** What {@link fromDrizzle} uses of a transaction of Drizzle's Postgres drivers. @publicApi */
export interface DrizzleTransaction {
  execute(query: never): PromiseLike<unknown>;
  rollback(): never;
}

/**
 * A Drizzle transaction as a `transaction` for `enqueue` and `enqueueMany`: the jobs are stored when it commits.
 *
 * @param tx What `db.transaction(...)` hands out, with the driver `node-postgres` or `postgres-js` on the database that
 * holds the jobs. Drizzle cannot tell whether a transaction has ended, so do not keep it for longer.
 * @throws {@link NotInTransactionError} for a `db`; from `enqueue`, {@link MissingPeerError} when `drizzle-orm` cannot be
 * imported.
 *
 * @example
 * ```ts
 * import { sql } from 'drizzle-orm';
 * import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
 * import { JobsService, Task, task } from 'nestjs-jobs';
 * import { fromDrizzle } from 'nestjs-jobs/postgres';
 *
 * class Invoices {
 *   @Task()
 *   async send(payload: { orderId: string }): Promise<void> {
 *     console.log(payload.orderId);
 *   }
 * }
 *
 * export async function placeOrder(db: NodePgDatabase, jobs: JobsService, orderId: string): Promise<void> {
 *   await db.transaction(async (tx) => {
 *     await tx.execute(sql`INSERT INTO orders (id) VALUES (${orderId})`);
 *     await jobs.enqueue(task(Invoices, 'send'), { orderId }, { transaction: fromDrizzle(tx) });
 *   });
 * }
 * ```
 *
 * @publicApi
 */
export function fromDrizzle(tx: DrizzleTransaction): SqlTransaction {
  // Of a database and its transaction only the latter can be rolled back.
  if (typeof tx.rollback !== 'function') {
    throw new NotInTransactionError(
      'fromDrizzle',
      'a database that is in no transaction',
      'the tx of db.transaction(async (tx) => ...)',
    );
  }
  const executor = tx as unknown as { execute(query: SQLWrapper): PromiseLike<unknown[] | { rows: unknown[] }> };
  return {
    async query(text, values) {
      const query = await toDrizzleSql(text, values);
      try {
        const answer = await executor.execute(query);
        // Of postgres-js an array, of node-postgres an object.
        return { rows: Array.isArray(answer) ? answer : answer.rows };
      } catch (error) {
        throw unwrapped(error);
      }
    },
  };
}

async function toDrizzleSql(text: string, values: unknown[]): Promise<SQL> {
  const { sql } = await importPeer('drizzle-orm', 'fromDrizzle', () => import('drizzle-orm'));
  const { texts, places } = splitAtParameters(text);
  const query = sql.empty();
  for (const [n, part] of texts.entries()) {
    // sql.param: a bare array would become a list of parameters.
    if (n > 0) query.append(sql`${sql.param(values[places[n - 1]!])}`);
    query.append(sql.raw(part));
  }
  return query;
}

/** Drizzle puts the statement and all values, so the payload too, around what the database said. */
function unwrapped(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error && 'query' in error ? error.cause : error;
}
