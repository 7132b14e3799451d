/**
 * What a pool of node-postgres takes. The types are our own, so that an app on another store needs no `@types/pg`.
 *
 * @publicApi
 */
export interface PostgresPoolOptions {
  connectionString?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  user?: string | undefined;
  /** Or what gives it for each new connection, such as a short-lived token. */
  password?: string | (() => string | Promise<string>) | undefined;
  database?: string | undefined;
  ssl?: boolean | object | undefined;
  /** Connections for statements; one more listens. @default 10 */
  max?: number | undefined;
  min?: number | undefined;
  /** Milliseconds to wait for a connection, also for a free one. @default 10000 */
  connectionTimeoutMillis?: number | undefined;
  idleTimeoutMillis?: number | null | undefined;
  maxUses?: number | undefined;
  maxLifetimeSeconds?: number | undefined;
  allowExitOnIdle?: boolean | undefined;
  keepAlive?: boolean | undefined;
  keepAliveInitialDelayMillis?: number | undefined;
  /** @default 'nestjs-jobs' */
  application_name?: string | undefined;
  statement_timeout?: false | number | undefined;
  query_timeout?: number | undefined;
  lock_timeout?: number | undefined;
  idle_in_transaction_session_timeout?: number | undefined;
  options?: string | undefined;
}

/**
 * A `pg.Pool` of the app's. Its connections are lent one by one, with the schema of the namespace in their search_path
 * meanwhile; the app ends it, after its modules were destroyed.
 *
 * @publicApi
 */
export interface PostgresPool {
  readonly totalCount: number;
  readonly options: object;
  connect(): Promise<unknown>;
}
