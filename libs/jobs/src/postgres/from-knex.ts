import type { SqlTransaction } from '../backend/sql-transaction.js';
import { NotInTransactionError } from './not-in-transaction.error.js';
import { splitAtParameters } from './split-at-parameters.js';

/** What {@link fromKnex} uses of a `Knex.Transaction`. @publicApi */
export interface KnexTransaction {
  readonly isTransaction?: boolean | undefined;
  isCompleted(): boolean;
  raw(sql: string, bindings: readonly unknown[]): PromiseLike<unknown>;
}

/**
 * A Knex transaction as a `transaction` for `enqueue` and `enqueueMany`: the jobs are stored when it commits.
 *
 * @param trx What `knex.transaction(...)` hands out, of a Knex with the client `pg` on the database that holds the jobs.
 * @throws {@link NotInTransactionError} for a Knex itself, and for a transaction that has ended; from `enqueue` when it
 * has ended meanwhile.
 *
 * @example
 * ```ts
 * import type { Knex } from 'knex';
 * import { JobsService, Task, task } from 'nestjs-jobs';
 * import { fromKnex } from 'nestjs-jobs/postgres';
 *
 * class Invoices {
 *   @Task()
 *   async send(payload: { orderId: string }): Promise<void> {
 *     console.log(payload.orderId);
 *   }
 * }
 *
 * export async function placeOrder(knex: Knex, jobs: JobsService, orderId: string): Promise<void> {
 *   await knex.transaction(async (trx) => {
 *     await trx('orders').insert({ id: orderId });
 *     await jobs.enqueue(task(Invoices, 'send'), { orderId }, { transaction: fromKnex(trx) });
 *   });
 * }
 * ```
 *
 * @publicApi
 */
export function fromKnex(trx: KnexTransaction): SqlTransaction {
  assertOpen(trx);
  return {
    async query(text, values) {
      assertOpen(trx);
      const { texts, places } = splitAtParameters(text);
      const bindings = places.map((place) => values[place]);
      const { rows } = (await trx.raw(texts.map(escapeQuestionMarks).join('?'), bindings)) as { rows: unknown[] };
      return { rows };
    },
  };
}

/** Knex takes every `?` for a parameter, also within quotes and comments. */
function escapeQuestionMarks(text: string): string {
  return text.replaceAll('?', '\\?');
}

function assertOpen(trx: KnexTransaction): void {
  const refuse = (given: string): never => {
    throw new NotInTransactionError('fromKnex', given, 'the open trx of knex.transaction(async (trx) => ...)');
  };
  if (!trx.isTransaction) refuse('a Knex that is no transaction');
  if (trx.isCompleted()) refuse('a transaction that is committed or rolled back already');
}
