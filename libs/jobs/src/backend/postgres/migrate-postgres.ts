import type { Pool, PoolConfig } from 'pg';
import { migrate } from '../sql/migrations.js';
import { PostgresPool } from './postgres-pool.js';

const CONNECT_TIMEOUT = 10_000;

/** Brings the schema to the newest version, over a connection that is closed after it. @internal */
export async function migratePostgres(target: string | PoolConfig | Pool, schema: string): Promise<void> {
  const pool = new PostgresPool(target, schema);
  try {
    await pool.prepare((client) => migrate(client, schema), CONNECT_TIMEOUT);
  } finally {
    await pool.end();
  }
}
