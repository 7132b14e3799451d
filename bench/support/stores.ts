import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startPostgres } from '../../test/support/services/postgres.mjs';
import { startRedis } from '../../test/support/services/redis.mjs';

export const STORE_NAMES = ['redis', 'postgres', 'embedded'] as const;
export type StoreName = (typeof STORE_NAMES)[number];

/**
 * The namespace of all jobs, one after the other. It is the one schema that BullMQ alone can use when it is given a
 * `pg.Pool`, and it must be given one: as an ES module it cannot load `pg` itself.
 */
export const NAMESPACE = 'bullmq';

const COUNT_CONNECTIONS = `
SELECT count(*)::int AS connections FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;

/** Where a store is, in a form that can be sent to another process. */
export interface StoreAddress {
  readonly name: StoreName;
  /** A url, or the directory of the embedded database. */
  readonly location: string;
}

/** A store of this run's own. */
export interface Store extends StoreAddress {
  /** Removes all jobs, so that each measurement begins with the same. Nobody may be connected. */
  clear(): Promise<void>;
  /** Connections that the server has, other than those of this process. */
  connections(): Promise<number>;
  stop(): Promise<void>;
}

/** `durable`: the server answers only when what was written is on disk. PGlite has no such mode. */
export function startStore(name: StoreName, durable: boolean): Promise<Store> {
  if (name === 'redis') return startRedisStore(durable);
  return name === 'postgres' ? startPostgresStore(durable) : Promise.resolve(makeEmbeddedStore());
}

async function startRedisStore(durable: boolean): Promise<Store> {
  const server = await startRedis({ appendonly: durable });
  const client = new Redis(server.url);
  return {
    name: 'redis',
    location: server.url,
    // Not ASYNC: it would free the memory while the next measurement runs.
    clear: async () => void (await client.flushall('SYNC')),
    connections: async () => {
      const list = (await client.client('LIST')) as string;
      return list.trim().split('\n').length - 1;
    },
    stop: async () => {
      client.disconnect();
      await server.stop();
    },
  };
}

async function startPostgresStore(durable: boolean): Promise<Store> {
  const server = await startPostgres({ durable });
  const query = async (sql: string): Promise<pg.QueryResult<Record<string, unknown>>> => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const result = await client.query<Record<string, unknown>>(sql);
    await client.end();
    return result;
  };
  return {
    name: 'postgres',
    location: server.url,
    clear: async () => void (await query(`DROP SCHEMA IF EXISTS "${NAMESPACE}" CASCADE`)),
    connections: async () => {
      const { rows } = await query(COUNT_CONNECTIONS);
      return rows[0]!['connections'] as number;
    },
    stop: () => server.stop(),
  };
}

/** On disk, so that one process can fill it and another one consume. */
function makeEmbeddedStore(): Store {
  const parent = mkdtempSync(join(tmpdir(), 'nestjs-jobs-bench-'));
  const remove = (path: string): void => rmSync(path, { recursive: true, force: true });
  process.once('exit', () => remove(parent));
  const location = join(parent, 'jobs');
  return {
    name: 'embedded',
    location,
    clear: async () => remove(location),
    connections: async () => 0,
    stop: async () => remove(parent),
  };
}
