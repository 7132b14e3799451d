import type { Pool, PoolConfig } from 'pg';
import { BackendUnavailableError } from '../backend.errors.js';
import { isMigrated, migrate } from '../sql/migrations.js';
import { PostgresConnectionLostError } from './postgres-errors.js';
import { describeLocation } from './postgres-location.js';
import { PostgresPool } from './postgres-pool.js';

const CONNECT_TIMEOUT = 10_000;

/** Brings the schema to the newest version, over a connection that is closed after it. @internal */
export async function migratePostgres(target: string | PoolConfig | Pool, schema: string): Promise<void> {
  const pool = new PostgresPool(target, schema);
  try {
    await pool.prepare(async (client) => {
      if (!(await isMigrated(client, schema))) await migrate(client, schema);
    }, CONNECT_TIMEOUT);
  } catch (error) {
    if (!(error instanceof PostgresConnectionLostError)) throw error;
    throw new BackendUnavailableError(describeLocation(target), CONNECT_TIMEOUT, error);
  } finally {
    await pool.end();
  }
}
