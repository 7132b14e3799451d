import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { StoreAddress } from './stores.js';

/** What a store was asked to do since it was started. */
export interface StoreWork {
  /** Commands of Redis, those of scripts among them; transactions of Postgres. */
  commands(): Promise<number>;
  close(): Promise<unknown>;
}

/** Milliseconds after which Postgres has told what its connections did. */
const TOLD = 1_200;
const TRANSACTIONS = `
SELECT xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()`;

export async function openStoreWork({ name, location }: StoreAddress): Promise<StoreWork> {
  if (name === 'redis') {
    const redis = new Redis(location);
    return {
      commands: async () => Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))![1]),
      close: () => redis.quit(),
    };
  }
  const client = new pg.Client({ connectionString: location });
  await client.connect();
  return {
    async commands() {
      await sleep(TOLD);
      const { rows } = await client.query<{ count: string }>(TRANSACTIONS);
      return Number(rows[0]!.count);
    },
    close: () => client.end(),
  };
}
