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
  stop(): Promise<void>;
}

export function isStoreName(name: string): name is StoreName {
  return STORE_NAMES.some((known) => known === name);
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
    stop: async () => {
      client.disconnect();
      await server.stop();
    },
  };
}

async function startPostgresStore(durable: boolean): Promise<Store> {
  const server = await startPostgres({ durable });
  return {
    name: 'postgres',
    location: server.url,
    clear: async () => {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query(`DROP SCHEMA IF EXISTS "${NAMESPACE}" CASCADE`);
      await client.end();
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
    stop: async () => remove(parent),
  };
}
