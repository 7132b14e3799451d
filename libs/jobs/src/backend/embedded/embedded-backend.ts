import { resolve } from 'node:path';
import type { BackendLogger } from '../backend-logger.js';
import type { Queue } from 'bullmq';
import { BackendUnavailableError, MigrationsMissingError, TransactionNotSupportedError } from '../backend.errors.js';
import { isMigrated, migrate } from '../sql/migrations.js';
import { SqlBackend } from '../sql/sql-backend.js';
import { settlesWithin } from '../with-timeout.js';
import { HEARTBEAT_LIMIT } from './lock-holder.js';
import { openPglitePool, type PglitePool, type PglitePoolOptions } from './pglite-pool.js';

/**
 * A leftover of the process that had the directory before: this process has it alone now, so no claim on a job can
 * still be honest. Marked and expired, the jobs are taken back by the first stalled check instead of a lease later.
 */
const EXPIRE_ALL_CLAIMS = `
UPDATE job SET locked_until_ms = 0, stalled_marked = true WHERE state = 'active';
DELETE FROM meta WHERE field = 'stalled-check';`;

/** A container that starts again after a kill must outwait the lock of its predecessor, whose death nobody sees (ms). */
const LEAST_LOCK_GRACE = HEARTBEAT_LIMIT + 5_000;

type EmbeddedBackendOptions = Pick<PglitePoolOptions, 'dataDir' | 'template' | 'lockGrace' | 'onWait'> & {
  namespace: string;
  logger: BackendLogger;
};

/** Postgres inside this process: PGlite in a worker thread. @internal */
export class EmbeddedBackend extends SqlBackend {
  readonly kind = 'embedded';
  readonly location: string;
  private stopped: Error | undefined;

  private constructor(pool: PglitePool, schema: string, dataDir: string, logger: BackendLogger) {
    super(pool, schema, logger);
    this.location = `embedded Postgres in ${isInMemory(dataDir) ? 'memory' : resolve(dataDir)}`;
    pool.on('error', (error: Error) => {
      this.stopped = error;
      logger.error(error.message);
    });
  }

  /**
   * Opens a directory for somebody who looks in for a moment, and is no app: nothing is created, no claim is given up, and
   * a process that has it open is not waited for.
   *
   * @throws {MigrationsMissingError} {@link DataDirectoryLockedError}
   */
  static async visit(options: EmbeddedBackendOptions): Promise<EmbeddedBackend> {
    const { namespace: schema, logger, ...directory } = options;
    const pool = await openPglitePool({ ...directory, searchPath: schema });
    try {
      const client = await pool.connect();
      if (!(await isMigrated(client, schema))) throw new MigrationsMissingError(schema);
      client.release();
      return new EmbeddedBackend(pool, schema, options.dataDir, logger);
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  /** Waits up to `lockGrace` ms, and at least 35 s, for another process to leave the directory. */
  static async open(options: EmbeddedBackendOptions): Promise<EmbeddedBackend> {
    const { namespace: schema, logger, ...directory } = options;
    const lockGrace = Math.max(options.lockGrace, LEAST_LOCK_GRACE);
    const pool = await openPglitePool({ ...directory, lockGrace, searchPath: schema });
    try {
      const client = await pool.connect();
      await migrate(client, schema);
      client.release();
      await pool.query(EXPIRE_ALL_CLAIMS);
      return new EmbeddedBackend(pool, schema, options.dataDir, logger);
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  createQueueIn(): Queue {
    throw new TransactionNotSupportedError(this.location);
  }

  protected override poolOf(): never {
    throw new TransactionNotSupportedError(this.location);
  }

  async whenReady(timeout: number): Promise<void> {
    if (this.stopped) throw new BackendUnavailableError(this.location, timeout, this.stopped);
  }

  lastConnectionError(): Error | undefined {
    return this.stopped;
  }

  /** There is no connection to lose, but the thread may end, and so may the process. */
  isConnectionError(error: unknown): boolean {
    if (typeof error !== 'object' || error === null) return false;
    const { name, message } = error as Partial<Error>;
    return name === 'EmbeddedBackendStoppedError' || /after calling end on the pool/.test(message ?? '');
  }

  async close(timeout: number): Promise<void> {
    this.messages.close();
    await settlesWithin(timeout, this.pool.end());
  }
}

function isInMemory(dataDir: string): boolean {
  return dataDir.startsWith('memory://');
}
