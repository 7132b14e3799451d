import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { JobsModuleOptions } from 'nestjs-jobs';
import { selectBackends, type BackendName } from './backend-selection.mjs';

export interface TestBackend {
  name: BackendName;
  connection: () => JobsModuleOptions['connection'];
}

/** Boots of an embedded database are many, and most of their time is initdb's. */
const PGLITE_TEMPLATE = resolve('node_modules/.cache/nestjs-jobs');

const connections: Record<BackendName, TestBackend['connection']> = {
  embedded: () => embeddedIn('memory://'),
  redis: () => redisUrl(),
  postgres: () => postgresUrl(),
};

/** The backends of this run, for `describe.each(backends)('... on $name', ...)`. */
export const backends: TestBackend[] = selectBackends(process.env.JOBS_TEST_BACKENDS).map((name) => {
  // A missing service must fail the suite that needs it when it loads, not each of its tests in its own way.
  connections[name]();
  return { name, connection: connections[name] };
});

/** Also for processes that a test starts. */
export function embeddedIn(dataDir: string): { embedded: { dataDir: string; template: string } } {
  return { embedded: { dataDir, template: PGLITE_TEMPLATE } };
}

/** The Redis that the runner started, also for processes that a test starts. */
export function redisUrl(): string {
  return urlFromRunner('JOBS_TEST_REDIS_URL', 'a redis-server');
}

/** The Postgres that the runner started, also for processes that a test starts. */
export function postgresUrl(): string {
  return urlFromRunner('JOBS_TEST_POSTGRES_URL', 'a Postgres');
}

function urlFromRunner(variable: string, service: string): string {
  const url = process.env[variable];
  if (!url)
    throw new Error(`${variable} is not set: run the tests with \`npm test\`, which starts ${service} for them`);
  return url;
}

/** Tests share one server: each module gets keys (Redis) or a schema (Postgres) of its own. */
export function uniqueNamespace(): string {
  return `test_${randomUUID().replaceAll('-', '')}`;
}
