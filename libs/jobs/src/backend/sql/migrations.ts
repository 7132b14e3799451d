import { assertSchemaCompatibility, LATEST_SCHEMA_VERSION, runMigrations, type PgQueryable } from 'bullmq';
import { KEPT_RESULTS_SCHEMA } from './kept-results-schema.js';
import { LIMITS_SCHEMA } from './limits-schema.js';
import { LINES_SCHEMA } from './lines-schema.js';
import { RESULTS_SCHEMA } from './results-schema.js';
import { SCHEDULES_SCHEMA } from './schedules-schema.js';

/**
 * What we keep beside BullMQ's tables, one step a version. A released step is never changed; a new one must leave the
 * processes of the version before working, because they still run while a deploy rolls.
 */
const STEPS = [
  `CREATE TABLE IF NOT EXISTS jobs_ledger (
     collection text NOT NULL,
     key text NOT NULL,
     value jsonb NOT NULL,
     expires_at timestamptz,
     PRIMARY KEY (collection, key)
   );
   CREATE INDEX IF NOT EXISTS jobs_ledger_expiry ON jobs_ledger (expires_at) WHERE expires_at IS NOT NULL;`,
  LINES_SCHEMA,
  KEPT_RESULTS_SCHEMA,
  LIMITS_SCHEMA,
  SCHEDULES_SCHEMA,
  RESULTS_SCHEMA,
];

/** The letters `njob`, beside BullMQ's `BULL`. */
const LOCK = 0x6e6a6f62;

/**
 * Brings BullMQ's tables and ours to the newest version, each in one transaction; what is newer already is left alone.
 * Processes that do it at once wait for one another.
 *
 * @internal
 */
export async function migrate(client: PgQueryable, schema: string): Promise<void> {
  await runMigrations(client, schema);
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [LOCK, schema]);
    await client.query(`SET LOCAL search_path TO "${schema}"`);
    await client.query(
      'CREATE TABLE IF NOT EXISTS jobs_migration (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const applied = await appliedVersion(client, schema);
    for (let version = applied + 1; version <= STEPS.length; version++) {
      await client.query(STEPS[version - 1]!);
      await client.query('INSERT INTO jobs_migration (version) VALUES ($1)', [version]);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** Whether nothing is to be done before this version can work. @internal */
export async function isMigrated(client: PgQueryable, schema: string): Promise<boolean> {
  try {
    const engine = await assertSchemaCompatibility(client, schema);
    return engine >= LATEST_SCHEMA_VERSION && (await appliedVersion(client, schema)) >= STEPS.length;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function appliedVersion(client: PgQueryable, schema: string): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT COALESCE(MAX(version), 0)::integer AS version FROM "${schema}".jobs_migration`,
  );
  return rows[0]!.version;
}

function isMissing(error: unknown): boolean {
  const { code, name } = error as { code?: string; name?: string };
  return code === '42P01' || code === '3F000' || name === 'SchemaMigrationRequiredError';
}
