import { backends } from './backends.js';
import { startPostgres } from './services/postgres.mjs';
import { startRedis } from './services/redis.mjs';

export interface OwnServer {
  readonly port: number;
  kill(): Promise<unknown>;
  restart(): Promise<unknown>;
  stop(): Promise<unknown>;
}

/** The backends of this run that can be away, with a server of the test's own that survives a kill. */
export const ownServers = [
  {
    name: 'redis' as const,
    start: (port?: number): Promise<OwnServer> => startRedis({ ...(port && { port }), appendonly: true }),
    url: (port: number) => `redis://127.0.0.1:${port}`,
  },
  {
    name: 'postgres' as const,
    start: (port?: number): Promise<OwnServer> => startPostgres({ ...(port && { port }), durable: true }),
    url: (port: number) => `postgres://jobs@127.0.0.1:${port}/jobs`,
  },
].filter((server) => backends.some(({ name }) => name === server.name));
