import { resolve } from 'node:path';
import { SqlBackend } from '../sql/sql-backend.js';
import { openPglitePool, type PglitePool } from './pglite-pool.js';

/**
 * A leftover of the process that had the directory before: this process has it alone now, so no claim on a job can
 * still be honest. Marked and expired, the jobs are taken back by the first stalled check instead of a lease later.
 */
const EXPIRE_ALL_CLAIMS = `
UPDATE job SET locked_until_ms = 0, stalled_marked = true WHERE state = 'active';
DELETE FROM meta WHERE field = 'stalled-check';`;

/** Postgres inside this process: PGlite in a worker thread. @internal */
export class EmbeddedBackend extends SqlBackend {
  readonly kind = 'embedded';
  readonly location: string;

  private constructor(pool: PglitePool, schema: string, dataDir: string) {
    super(pool, schema);
    this.location = `embedded Postgres in ${isInMemory(dataDir) ? 'memory' : resolve(dataDir)}`;
  }

  /** Waits up to `lockGrace` ms for another process to leave the directory. */
  static async open(options: { dataDir: string; namespace: string; lockGrace: number }): Promise<EmbeddedBackend> {
    const { dataDir, namespace: schema, lockGrace } = options;
    const pool = await openPglitePool({ dataDir, searchPath: schema, lockGrace });
    try {
      await SqlBackend.migrate(pool, schema);
      await pool.query(EXPIRE_ALL_CLAIMS);
      return new EmbeddedBackend(pool, schema, dataDir);
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
