import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../support/services/postgres.mjs';
import { startRedis } from '../support/services/redis.mjs';
import type { ChaosServer } from './chaos-run.js';
import type { ChaosStore } from './chaos-module.js';

export interface StartedStore {
  readonly connection: ChaosStore['connection'];
  /** None: the store lives in the process that uses it. */
  readonly server: ChaosServer | null;
  readonly stop: () => Promise<void>;
}

export type StoreName = 'redis' | 'postgres' | 'embedded';

/** Stores of a run's own. `durable`: what they have answered survives `kill()`. */
export const STORES: Readonly<Record<StoreName, (durable: boolean) => Promise<StartedStore>>> = {
  redis: async (durable) => {
    const server = await startRedis({ appendonly: durable });
    return { connection: server.url, server, stop: () => server.stop() };
  },
  postgres: async (durable) => {
    const server = await startPostgres({ durable });
    return { connection: server.url, server, stop: () => server.stop() };
  },
  embedded: async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'nestjs-jobs-chaos-data-'));
    const stop = () => rm(dataDir, { recursive: true, force: true });
    return { connection: { embedded: { dataDir } }, server: null, stop };
  },
};
