import { EventEmitter } from 'node:events';
import type { PgPoolClient, PgQueryable, PgQueryResult } from 'bullmq';
import pg, { type Client, type Pool, type PoolClient, type PoolConfig, type QueryConfig } from 'pg';
import type { ChannelListener, SqlPool } from '../sql/sql-pool.js';
import { withTimeout } from '../with-timeout.js';
import { LentClients, type LentClient } from './lent-clients.js';
import { destroyClient, ListenConnection } from './listen-connection.js';
import { asConnectionLost, isOfOneStatement, isTransient, PostgresConnectionLostError } from './postgres-errors.js';
import { RESULT_TYPES } from './result-types.js';
import { closeSilentClients } from './silent-clients.js';
import { ISOLATION, searchPathOf } from './session-settings.js';

/** How often a statement is tried that lost a deadlock. */
const TRIES = 5;
const CONNECT_TIMEOUT = 10_000;
/** A connection that is silent for longer is given up, or it would be one less for ever. */
const QUERY_TIMEOUT = 30_000;
const LONGEST_TIMER = 2 ** 31 - 1;
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

/** Where statements run: a pool of ours, or clients lent by the user's. */
interface Clients {
  query(query: QueryConfig): Promise<PgQueryResult>;
  take(): Promise<LentClient>;
  closeSilent(timeout: number): Promise<number>;
  end(): Promise<void>;
  destroy(): void;
}

interface PoolEvents {
  error: [Error];
  /** A statement was not answered, or the listening connection dropped. */
  lost: [Error];
  answered: [];
}

/**
 * {@link SqlPool} over a Postgres server. Nothing but {@link PostgresPool.prepare} runs before {@link PostgresPool.open}:
 * when the server was away at boot there may be no tables to run on.
 *
 * @internal
 */
export class PostgresPool extends EventEmitter<PoolEvents> implements SqlPool {
  private readonly clients: Clients;
  private readonly listener: ListenConnection;
  private isOpen = false;

  constructor(target: string | PoolConfig | Pool, schema: string) {
    super();
    // BullMQ adds an 'error' listener for every connection and never removes it.
    this.setMaxListeners(0);
    const own = isPool(target) ? undefined : ownClients(target, schema);
    const pool = own?.pool ?? (target as Pool);
    this.clients = own?.clients ?? lentBy(pool, schema);
    this.listener = new ListenConnection(
      () => listeningClient(pool),
      (error) => void this.emit('lost', error),
    );
  }

  /** Does on one client, had within `timeout` ms, what has to be done before anything else may run. */
  async prepare(work: (client: PgQueryable) => Promise<void>, timeout: number): Promise<void> {
    try {
      const { client, giveBack } = await this.takeWithin(timeout);
      let isDone = false;
      try {
        await work(typed(client));
        isDone = true;
      } finally {
        await giveBack(!isDone);
      }
    } catch (error) {
      throw asConnectionLost(error);
    }
  }

  open(): void {
    this.isOpen = true;
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    if (!this.isOpen) throw notOpen();
    const query: QueryConfig = { text, values: params as unknown[] | undefined, types: RESULT_TYPES };
    try {
      const result = (await this.run(query)) as PgQueryResult<R>;
      this.emit('answered');
      return result;
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** BullMQ takes clients for LISTEN and for migrations only, and both are done otherwise here. */
  connect(): Promise<PgPoolClient> {
    return Promise.reject(new Error('nestjs-jobs: no client is lent from this pool.'));
  }

  async listen(channel: string, listener: ChannelListener): Promise<() => Promise<void>> {
    if (!this.isOpen) throw notOpen();
    try {
      return await this.listener.listen(channel, listener);
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** Closes the connections that do not answer within `timeout` ms, also the listening one, and says how many. */
  async reconnect(timeout: number): Promise<number> {
    const [clients, listener] = await Promise.all([
      this.clients.closeSilent(timeout),
      this.listener.rebuildSilent(timeout),
    ]);
    return clients + (listener ? 1 : 0);
  }

  async end(): Promise<void> {
    await Promise.all([this.listener.end(), this.clients.end()]);
  }

  /** Drops what `end` still waits for. */
  destroy(): void {
    this.listener.destroy();
    this.clients.destroy();
  }

  private async takeWithin(timeout: number): Promise<LentClient> {
    const taking = this.clients.take();
    let isLate = false;
    taking.then(
      (lent) => isLate && void lent.giveBack(),
      () => undefined,
    );
    return withTimeout(taking, timeout, () => {
      isLate = true;
      return new PostgresConnectionLostError(new Error(`no connection within ${timeout} ms`));
    });
  }

  private async run(query: QueryConfig): Promise<PgQueryResult> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.clients.query(query);
      } catch (error) {
        if (tried === TRIES || !isTransient(error)) throw error;
      }
    }
  }

  private explain(error: unknown): unknown {
    const explained = asConnectionLost(error);
    if (explained instanceof PostgresConnectionLostError && !isOfOneStatement(error)) this.emit('lost', explained);
    return explained;
  }
}

function typed(client: PoolClient): PgQueryable {
  // Migrations take their time.
  const settings = { types: RESULT_TYPES, query_timeout: LONGEST_TIMER };
  return {
    query: <R>(text: string, values?: readonly unknown[]) =>
      client.query({ text, values: values as unknown[], ...settings }) as Promise<unknown> as Promise<PgQueryResult<R>>,
  };
}

function ownClients(target: string | PoolConfig, schema: string): { pool: Pool; clients: Clients } {
  const config: PoolConfig = typeof target === 'string' ? { connectionString: target } : target;
  const all = new Set<Client>();
  /** Known from the beginning, also while it connects, and with a listener, without which an error ends the process. */
  class OwnClient extends pg.Client {
    constructor(options?: ConstructorParameters<typeof pg.Client>[0]) {
      super(options);
      all.add(this);
      this.on('error', () => undefined);
      this.once('end', () => all.delete(this));
    }
  }
  const session = `SET search_path TO ${searchPathOf(schema)}; SET default_transaction_isolation TO '${ISOLATION}'`;
  const options: PoolConfig = {
    ...KEEP_ALIVE,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    application_name: 'nestjs-jobs',
    ...config,
    // Called for each new client before it is handed out.
    verify: (client: PoolClient, done: (error?: Error) => void) => {
      const verified = (error?: Error): void => (error || !config.verify ? done(error) : config.verify(client, done));
      client.query(session).then(() => verified(), verified);
    },
  };
  const pool = new pg.Pool({ ...options, Client: OwnClient } as PoolConfig);
  // A dropped idle connection is no outage.
  pool.on('error', () => undefined);
  const clients: Clients = {
    query: (query) => pool.query(query),
    take: async () => {
      const client = await pool.connect();
      return { client, giveBack: async (destroy) => client.release(destroy) };
    },
    closeSilent: (timeout) => {
      const silent = { pool, clients: all, speak: () => pool.query('SELECT 1') };
      return closeSilentClients(silent, () => listeningClient(pool), timeout);
    },
    end: () => pool.end(),
    destroy: () => all.forEach(destroyClient),
  };
  return { pool, clients };
}

function lentBy(pool: Pool, schema: string): Clients {
  const clients = new LentClients(
    pool,
    searchPathOf(schema),
    pool.options.query_timeout || QUERY_TIMEOUT,
    CONNECT_TIMEOUT,
  );
  return {
    query: (query) => clients.query(query),
    take: () => clients.take(),
    closeSilent: (timeout) => {
      const silent = { pool, clients: clients.inUse, speak: () => clients.speak() };
      return closeSilentClients(silent, () => listeningClient(pool), timeout);
    },
    // The pool is the user's, who ends it; that would wait for a client which we had and whose connection is silent.
    end: () => clients.whenGivenBack(),
    destroy: () => clients.destroy(),
  };
}

/** Made from the pool's options, but not of the pool, of which it would hold a client for ever. */
function listeningClient(pool: Pool): Client {
  const { options } = pool;
  const { Client = pg.Client } = pool as unknown as { Client?: typeof pg.Client };
  // The password is not enumerable there.
  const { password, connectionTimeoutMillis } = options;
  return new Client({
    ...options,
    ...KEEP_ALIVE,
    password,
    connectionTimeoutMillis: connectionTimeoutMillis || CONNECT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    application_name: `${options.application_name ?? 'nestjs-jobs'} listener`,
  });
}

function isPool(target: string | PoolConfig | Pool): target is Pool {
  return typeof target === 'object' && 'connect' in target && typeof target.connect === 'function';
}

function notOpen(): PostgresConnectionLostError {
  return new PostgresConnectionLostError(new Error('it was not reached yet since this process started'));
}
