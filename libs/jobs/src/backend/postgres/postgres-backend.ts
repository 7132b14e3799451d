import { setTimeout as sleep } from 'node:timers/promises';
import {
  PostgresQueueBackend,
  Queue,
  type BackendFactory,
  type ConnectionOptions,
  type PgPool,
  type PgQueryable,
  type RedisQueueBackend,
} from 'bullmq';
import type { Pool, PoolConfig } from 'pg';
import type { BackendLogger } from '../backend-logger.js';
import { BackendUnavailableError, MigrationsMissingError } from '../backend.errors.js';
import { OutageReport } from '../outage-report.js';
import { isMigrated, migrate } from '../sql/migrations.js';
import { SqlBackend } from '../sql/sql-backend.js';
import type { SqlTransaction } from '../sql-transaction.js';
import { settlesWithin, withTimeout } from '../with-timeout.js';
import { isPostgresConnectionError, PostgresConnectionLostError } from './postgres-errors.js';
import { describeLocation } from './postgres-location.js';
import { PostgresPool } from './postgres-pool.js';
import { TransactionConnection, TransactionPool } from './transaction-connection.js';

const PROBE_EVERY = 100;
const PREPARE_EVERY = 1_000;

/** @internal */
export interface PostgresBackendOptions {
  readonly target: string | PoolConfig | Pool;
  readonly namespace: string;
  /** False: the tables must be there already. */
  readonly migrate: boolean;
  /** How long, in ms, the boot waits for a server that is away. */
  readonly connectTimeout: number;
  readonly logger: BackendLogger;
}

/**
 * BullMQ's Postgres backend on a server. It uses the connections of one pool, and one more that listens for all queues.
 *
 * @internal
 */
export class PostgresBackend extends SqlBackend {
  readonly kind = 'postgres';
  readonly location: string;
  private readonly outage: OutageReport;
  private readonly closed = new AbortController();
  private isPrepared = false;

  private constructor(
    private readonly options: PostgresBackendOptions,
    private readonly server: PostgresPool,
  ) {
    super(server, options.namespace, options.logger);
    this.location = describeLocation(options.target);
    this.outage = new OutageReport(options.logger);
    this.outage.of(this.location);
    server.on('lost', (error) => this.outage.because(error));
    server.on('answered', () => this.outage.over());
  }

  /**
   * Brings the tables up to date, or checks that they are. When the server is away, that happens once it is there.
   *
   * @throws {MigrationsMissingError} and whatever a server that answers refuses.
   */
  static async open(options: PostgresBackendOptions): Promise<PostgresBackend> {
    const backend = new PostgresBackend(options, new PostgresPool(options.target, options.namespace));
    try {
      await backend.prepare();
    } catch (error) {
      if (!backend.isConnectionError(error)) {
        await backend.close(options.connectTimeout);
        throw error;
      }
      backend.outage.because(error as Error);
      void backend.prepareLater();
    }
    return backend;
  }

  createQueueIn(transaction: SqlTransaction, name: string): Queue {
    const factory: BackendFactory<PostgresQueueBackend, PgPool> = (queueName, options) => {
      const connection = new TransactionConnection(transaction, this.options.namespace, this.location);
      return new PostgresQueueBackend(connection, queueName, options);
    };
    const options = { connection: {} as ConnectionOptions, skipMetasUpdate: true };
    return new Queue(name, options, factory as unknown as BackendFactory<RedisQueueBackend>);
  }

  protected override poolOf(transaction: SqlTransaction): PgQueryable {
    return new TransactionPool(transaction, this.options.namespace, this.location);
  }

  /** At once while all is well; after a failure only when a statement was answered again. */
  async whenReady(timeout: number): Promise<void> {
    const deadline = Date.now() + timeout;
    while (!this.isPrepared || this.outage.lastError) {
      const left = deadline - Date.now();
      if (left <= 0 || this.closed.signal.aborted)
        throw new BackendUnavailableError(this.location, timeout, this.outage.lastError);
      if (this.isPrepared) await settlesWithin(left, this.server.query('SELECT 1'));
      if (!this.isPrepared || this.outage.lastError) await sleep(Math.min(PROBE_EVERY, left));
    }
  }

  lastConnectionError(): Error | undefined {
    return this.outage.lastError;
  }

  override reconnect(timeout: number): Promise<number> {
    return this.isPrepared ? this.server.reconnect(timeout) : super.reconnect(timeout);
  }

  isConnectionError(error: unknown): boolean {
    return error instanceof PostgresConnectionLostError || isPostgresConnectionError(error);
  }

  async close(timeout: number): Promise<void> {
    this.closed.abort();
    this.outage.silence();
    this.messages.close();
    await settlesWithin(timeout, this.server.end());
    this.server.destroy();
  }

  private async prepare(): Promise<void> {
    await this.server.prepare((client) => this.bringUpToDate(client), this.options.connectTimeout);
    this.isPrepared = true;
    this.server.open();
    this.outage.over();
  }

  /** Asks first: where nothing is to be done, a role needs no right to create anything. */
  private async bringUpToDate(client: PgQueryable): Promise<void> {
    const { namespace, connectTimeout } = this.options;
    const silent = (): Error => new PostgresConnectionLostError(new Error(`no answer within ${connectTimeout} ms`));
    if (await withTimeout(isMigrated(client, namespace), connectTimeout, silent)) return;
    if (!this.options.migrate) throw new MigrationsMissingError(namespace);
    await migrate(client, namespace);
  }

  private async prepareLater(): Promise<void> {
    const { signal } = this.closed;
    while (!signal.aborted) {
      await sleep(PREPARE_EVERY, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        return await this.prepare();
      } catch (error) {
        this.reportRefusal(error as Error);
      }
    }
  }

  /** An outage is reported already; that the server is back and lacks something is new. */
  private reportRefusal(error: Error): void {
    const isNews = error.message !== this.outage.lastError?.message && !this.isConnectionError(error);
    if (isNews) this.options.logger.error(`${this.location}: ${error.message}`);
    this.outage.lastError = error;
  }
}
