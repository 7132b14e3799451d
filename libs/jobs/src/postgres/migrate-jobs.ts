import type { Pool } from 'pg';
import { importPeer } from '../backend/import-peer.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { JobsModuleOptions } from '../options/jobs-options.js';
import { resolveOptions } from '../options/resolve-options.js';

/**
 * Creates the tables of the jobs, or upgrades them to what this version needs: the deploy step of an app that connects
 * with `migrate: false`. It waits for whoever does the same at the moment, does nothing where nothing is to be done, and
 * leaves processes of the version before working. Where something is to be done, the role needs CREATE on the database,
 * and to own the schema if it is there already.
 *
 * @param options - `connection` and `namespace` as `JobsModule.forRoot()` has them; the connection to a Postgres.
 * @throws {@link InvalidJobsOptionsError} for another connection; {@link MissingPeerError} without the package `pg`;
 * {@link BackendUnavailableError}; and what Postgres refuses, after which nothing has changed.
 *
 * @example
 * ```ts
 * import { migrateJobs } from 'nestjs-jobs/postgres';
 *
 * await migrateJobs({ connection: process.env.OWNER_URL!, namespace: 'jobs' });
 * ```
 *
 * @publicApi
 */
export async function migrateJobs(options: Pick<JobsModuleOptions, 'connection' | 'namespace'>): Promise<void> {
  const { connection, namespace } = resolveOptions({ ...options, connection: options.connection! });
  if (connection.kind !== 'postgres') {
    throw new InvalidJobsOptionsError('connection', 'to a Postgres; nothing else has tables to migrate', connection);
  }
  const { migratePostgres } = await importPeer('pg', 'migrateJobs', () => {
    return import('../backend/postgres/migrate-postgres.js');
  });
  await migratePostgres(connection.target as Pool, namespace);
}
