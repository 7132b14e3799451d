import type { SqlTransaction } from '../backend/sql-transaction.js';
import { NotInTransactionError } from './not-in-transaction.error.js';

/** What {@link fromTypeOrm} uses of TypeORM's `QueryRunner`. @publicApi */
export interface TypeOrmQueryRunner {
  readonly isTransactionActive: boolean;
  query(text: string, parameters: unknown[], useStructuredResult: true): Promise<{ records: unknown[] }>;
}

/** What {@link fromTypeOrm} uses of TypeORM's `EntityManager`. @publicApi */
export interface TypeOrmManager {
  readonly queryRunner?: TypeOrmQueryRunner | undefined;
}

/**
 * A TypeORM transaction as a `transaction` for `enqueue` and `enqueueMany`: the jobs are stored when it commits.
 *
 * @param source The EntityManager that `dataSource.transaction(...)` hands out, or a QueryRunner after
 * `startTransaction()`. The DataSource must be on the database that holds the jobs.
 * @throws {@link NotInTransactionError} when it is in no open transaction; from `enqueue` when the transaction has ended
 * meanwhile.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { JobsService, Task, task } from 'nestjs-jobs';
 * import { fromTypeOrm } from 'nestjs-jobs/postgres';
 * import { DataSource } from 'typeorm';
 *
 * @Injectable()
 * class Invoices {
 *   @Task()
 *   async send(payload: { orderId: string }): Promise<void> {
 *     console.log(payload.orderId);
 *   }
 * }
 *
 * @Injectable()
 * export class Orders {
 *   constructor(
 *     private readonly database: DataSource,
 *     private readonly jobs: JobsService,
 *   ) {}
 *
 *   async place(orderId: string): Promise<void> {
 *     await this.database.transaction(async (manager) => {
 *       await manager.query('INSERT INTO orders (id) VALUES ($1)', [orderId]);
 *       await this.jobs.enqueue(task(Invoices, 'send'), { orderId }, { transaction: fromTypeOrm(manager) });
 *     });
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function fromTypeOrm(source: TypeOrmManager | TypeOrmQueryRunner): SqlTransaction {
  runnerInTransaction(source);
  return {
    async query(text, values) {
      // The structured result: without it an UPDATE answers its rows in another shape.
      const { records } = await runnerInTransaction(source).query(text, values, true);
      return { rows: records };
    },
  };
}

function runnerInTransaction(source: TypeOrmManager | TypeOrmQueryRunner): TypeOrmQueryRunner {
  const runner = 'isTransactionActive' in source ? source : source.queryRunner;
  if (runner?.isTransactionActive) return runner;
  throw new NotInTransactionError(
    'fromTypeOrm',
    `a ${source.constructor.name} that is in no open transaction`,
    'the manager of dataSource.transaction(async (manager) => ...), or a QueryRunner between startTransaction() and ' +
      'commitTransaction()',
  );
}
