import type { PgPool } from 'bullmq';

/** Who is told of the notices on a channel. @internal */
export interface ChannelListener {
  onNotify(payload: string): void;
  /** Nothing is heard for now. */
  onInterrupted?(): void;
  /** The listening was interrupted and is back: what was announced in between was not heard. */
  onRestored?(): void;
  /** A connection that went silent must be found out in time: this listener has no other way to hear of anything. */
  readonly isWatched?: boolean;
}

/**
 * The Pool-shaped facade through which BullMQ and the SQL ledger reach a Postgres: a real server, or PGlite in a
 * thread. It adds to the part of `pg.Pool` that BullMQ uses the one thing a pool cannot do well: LISTEN on ONE
 * connection shared by every queue, worker and QueueEvents of the process.
 *
 * Rows come back as node-postgres would give them: `int8` and `numeric` as strings, `json`/`jsonb` parsed,
 * timestamps as `Date`. Unqualified names mean the schema of the namespace.
 *
 * @internal
 */
export interface SqlPool extends PgPool {
  /** Until the returned function is called. Many listeners of one channel share one LISTEN. */
  listen(channel: string, listener: ChannelListener): Promise<() => Promise<void>>;
}
