import { resolve } from 'node:path';
import { SqlBackend } from '../sql/sql-backend.js';
import { openPglitePool, type PglitePool, type PglitePoolOptions } from './pglite-pool.js';

/**
 * A leftover of the process that had the directory before: this process has it alone now, so no claim on a job can
 * still be honest. Marked and expired, the jobs are taken back by the first stalled check instead of a lease later.
 */
const EXPIRE_ALL_CLAIMS = `
UPDATE job SET locked_until_ms = 0, stalled_marked = true WHERE state = 'active';
DELETE FROM meta WHERE field = 'stalled-check';`;

type EmbeddedBackendOptions = Pick<PglitePoolOptions, 'dataDir' | 'lockGrace' | 'onWait'> & { namespace: string };

/** Postgres inside this process: PGlite in a worker thread. @internal */
export class EmbeddedBackend extends SqlBackend {
  readonly kind = 'embedded';
  readonly location: string;

  private constructor(pool: PglitePool, schema: string, dataDir: string) {
    super(pool, schema);
    this.location = `embedded Postgres in ${isInMemory(dataDir) ? 'memory' : resolve(dataDir)}`;
  }

  /** Waits up to `lockGrace` ms for another process to leave the directory. */
  static async open(options: EmbeddedBackendOptions): Promise<EmbeddedBackend> {
    const { namespace: schema, ...directory } = options;
    const pool = await openPglitePool({ ...directory, searchPath: schema });
    try {
      await SqlBackend.migrate(pool, schema);
      await pool.query(EXPIRE_ALL_CLAIMS);
      return new EmbeddedBackend(pool, schema, options.dataDir);
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  /** There is no connection to lose. */
  isConnectionError(): boolean {
    return false;
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

function isInMemory(dataDir: string): boolean {
  return dataDir.startsWith('memory://');
}
