import { PostgresConnection, type PgPool, type PgPoolClient, type PgQueryResult } from 'bullmq';
import type { SqlTransaction } from '../sql-transaction.js';
import { ShadowedTableError, TransactionDatabaseError } from '../backend.errors.js';

/** The only functions that adding jobs calls; inside, they find their tables whatever the search_path is. */
const ADDING = /\b(add_job|add_jobs_bulk|add_flow)\(/;
/** What tells whether a job was there before. */
const LOOKING = /(?<=SELECT \* FROM )job\b/;
/** What frees a key. */
const FREEING = /(?<=^DELETE FROM )dedup\b/m;
/** BullMQ's functions would add the job to a temporary table of the caller's, and it would be gone with the session. */
const UNLESS_SHADOWED = ` WHERE to_regclass('pg_temp.job') IS NULL`;
/** No such schema, no such function. */
const NOT_THERE = new Set(['3F000', '42883']);

/**
 * BullMQ's connection object over a transaction of the caller's. Nothing is set in the caller's session: the functions
 * are named with their schema in the statements.
 *
 * @internal
 */
export class TransactionConnection extends PostgresConnection {
  constructor(transaction: SqlTransaction, schema: string, location: string) {
    super(new TransactionPool(transaction, schema, location));
  }

  /** What it would ask is the caller's time, and was asked at boot. */
  override async waitUntilReady(): Promise<void> {}
}

/** Pool-shaped, as BullMQ wants it. @internal */
export class TransactionPool implements PgPool {
  constructor(
    private readonly transaction: SqlTransaction,
    private readonly schema: string,
    private readonly location: string,
  ) {}

  async query<R>(text: string, params: readonly unknown[] = []): Promise<PgQueryResult<R>> {
    try {
      const { rows } = answered<R>(await this.transaction.query(this.qualified(text), [...params]));
      if (rows.length === 0 && ADDING.test(text)) throw new ShadowedTableError();
      return { rows };
    } catch (error) {
      if (!NOT_THERE.has((error as { code?: string }).code ?? '')) throw error;
      throw new TransactionDatabaseError(this.schema, this.location, error);
    }
  }

  private qualified(text: string): string {
    // A statement of ours.
    if (text.includes(`"${this.schema}".job`)) return text;
    if (FREEING.test(text)) return text.replace(FREEING, `"${this.schema}".dedup`);
    if (LOOKING.test(text)) return text.replace(LOOKING, `"${this.schema}".job`);
    if (!ADDING.test(text)) throw new Error(`nestjs-jobs: BullMQ sent an unexpected statement to add jobs: ${text}`);
    return text.replace(ADDING, `"${this.schema}".$1(`).replace(/;?\s*$/, UNLESS_SHADOWED);
  }

  connect(): Promise<PgPoolClient> {
    return Promise.reject(new Error('nestjs-jobs: a transaction has one client.'));
  }

  async end(): Promise<void> {}

  on(): this {
    return this;
  }

  removeAllListeners(): this {
    return this;
  }
}

function answered<R>(answer: { rows: unknown[] }): PgQueryResult<R> {
  if (Array.isArray(answer?.rows)) return answer as PgQueryResult<R>;
  throw new TypeError(
    'nestjs-jobs: the query function of a `transaction` must answer { rows }, as that of a pg client does. ' +
      'For TypeORM, Knex and Drizzle there are fromTypeOrm, fromKnex and fromDrizzle in nestjs-jobs/postgres.',
  );
}
