import type { PgPool, PgPoolClient } from 'bullmq';

/**
 * The Pool-shaped facade through which BullMQ and the SQL ledger reach a Postgres: a real server, or PGlite in a
 * thread. It adds to the part of `pg.Pool` that BullMQ uses the one thing a pool cannot do well: LISTEN on ONE
 * connection shared by every queue, worker and QueueEvents of the process.
 *
 * Rows come back as node-postgres would give them: `int8` and `numeric` as strings, `json`/`jsonb` parsed,
 * timestamps as `Date`.
 */
export interface SqlPool extends PgPool {
  connect(): Promise<PgPoolClient>;
  /**
   * Calls `onNotify` for every NOTIFY on `channel` until the returned function is called. Many listeners of one
   * channel share one LISTEN.
   */
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>>;
}
