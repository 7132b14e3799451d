import { embeddedTemplate } from './embedded.mjs';
import { requirePostgres } from './postgres-binaries.mjs';
import { serverAccount } from './server-account.mjs';
import { startRedis } from './redis.mjs';
import { requireRedisServer } from './redis-binary.mjs';

/**
 * @typedef {object} BackendService
 * @property {() => Promise<unknown>} prepare makes sure that the machine has what the backend needs
 * @property {() => Promise<{ env: Record<string, string>, stop: () => Promise<void> }>} start
 */

/** What the tests on each backend need from outside; a new backend is one more row.
 * @type {Record<import('../backend-selection.mjs').BackendName, BackendService>} */
export const backendServices = {
  embedded: {
    prepare: async () => {},
    start: async () => {
      const { directory, schema } = await embeddedTemplate();
      const env = { JOBS_TEST_EMBEDDED_TEMPLATE: directory, JOBS_TEST_EMBEDDED_SCHEMA: schema };
      return { env, stop: async () => {} };
    },
  },
  redis: {
    prepare: requireRedisServer,
    start: async () => {
      const redis = await startRedis();
      return { env: { JOBS_TEST_REDIS_URL: redis.url }, stop: () => redis.stop() };
    },
  },
  postgres: {
    prepare: async () => {
      await requirePostgres();
      serverAccount();
    },
    start: async () => {
      // It needs the pg package, and `prepare` runs before packages are installed.
      const { startPostgres } = await import('./postgres.mjs');
      const postgres = await startPostgres();
      return { env: { JOBS_TEST_POSTGRES_URL: postgres.url }, stop: () => postgres.stop() };
    },
  },
};
