import type { SqlTransaction } from '../backend/sql-transaction.js';
import type { OptionReader } from '../options/option-reader.js';
import { assertTransaction } from './transaction-check.js';

/**
 * Jobs that stand or fall with a transaction of the caller's.
 *
 * @publicApi
 */
export interface EnqueueTransaction {
  /**
   * Enqueues with statements of this transaction, on the Postgres database that holds the jobs: a `pg` client between
   * BEGIN and COMMIT, or what `fromTypeOrm`, `fromKnex` and `fromDrizzle` of `nestjs-jobs/postgres` make of theirs.
   *
   * Before COMMIT the job does not exist for anybody else and does not run: until then `handle.status()` rejects with
   * {@link JobNotFoundError}. After ROLLBACK there is no job, and nothing has run. The transaction stays the caller's:
   * nothing here begins, commits or rolls back, an error of a statement leaves it failed, and its client must not run
   * other statements at the same time. `connectTimeout` does not apply, since a statement in a transaction can only be
   * waited for. Without it, jobs are stored at once.
   *
   * On the embedded backend and on Redis `enqueue` rejects with {@link TransactionNotSupportedError}; for what is no
   * client in a transaction (a pool, one without BEGIN) with {@link InvalidEnqueueOptionsError}.
   *
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { JobsService, Task, task } from 'nestjs-jobs';
   * import { Pool } from 'pg';
   *
   * @Injectable()
   * class Mails {
   *   @Task()
   *   async confirm(payload: { orderId: string }): Promise<void> {
   *     console.log(payload.orderId);
   *   }
   * }
   *
   * @Injectable()
   * export class Orders {
   *   constructor(
   *     private readonly jobs: JobsService,
   *     private readonly pool: Pool,
   *   ) {}
   *
   *   async place(orderId: string): Promise<void> {
   *     const client = await this.pool.connect();
   *     try {
   *       await client.query('BEGIN');
   *       await client.query('INSERT INTO orders (id) VALUES ($1)', [orderId]);
   *       await this.jobs.enqueue(task(Mails, 'confirm'), { orderId }, { transaction: client });
   *       await client.query('COMMIT');
   *     } catch (error) {
   *       await client.query('ROLLBACK');
   *       throw error;
   *     } finally {
   *       client.release();
   *     }
   *   }
   * }
   * ```
   */
  transaction?: SqlTransaction;
}

/** @internal */
export function resolveTransaction(reader: OptionReader): SqlTransaction | undefined {
  const transaction = reader.raw('transaction');
  if (transaction === undefined) return undefined;
  assertTransaction(transaction, reader.at('transaction'));
  return transaction;
}
