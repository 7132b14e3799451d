import type { Pool } from 'pg';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import type { BackendLogger } from './backend-logger.js';
import { importPeer } from './import-peer.js';
import type { QueueBackend } from './queue-backend.js';

/**
 * Opens the chosen store. The backends are imported only when chosen, so that their packages stay optional.
 *
 * @param isVisitor - of a Redis: it only looks at queues, and leaves no trace of itself where there are none.
 * @internal
 */
export async function openBackend(
  options: ResolvedJobsOptions,
  logger: BackendLogger,
  isVisitor = false,
): Promise<QueueBackend> {
  const { connection, connectTimeout, namespace, shutdownGrace } = options;
  if (connection.kind === 'embedded') {
    const { EmbeddedBackend } = await import('./embedded/embedded-backend.js');
    return EmbeddedBackend.open({
      dataDir: connection.dataDir,
      template: connection.template,
      namespace,
      lockGrace: shutdownGrace,
      logger,
      onWait: (pid) => logger.log(`Waiting for the process with pid ${pid} to leave ${connection.dataDir}.`),
    });
  }
  if (connection.kind === 'postgres') {
    const { PostgresBackend } = await importPeer('pg', 'the Postgres backend', () => {
      return import('./postgres/postgres-backend.js');
    });
    return PostgresBackend.open({
      ...connection,
      target: connection.target as Pool,
      namespace,
      connectTimeout,
      logger,
    });
  }
  const { RedisBackend } = await importPeer('ioredis', 'the Redis backend', () => import('./redis/redis-backend.js'));
  return new RedisBackend(connection.redis, namespace, logger, isVisitor);
}
