import { randomUUID } from 'node:crypto';
import type { JobsModuleOptions } from 'nestjs-jobs';
import { selectBackends, type BackendName } from './backend-selection.mjs';

export interface TestBackend {
  name: BackendName;
  connection: () => JobsModuleOptions['connection'];
}

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
  return {
    embedded: { dataDir, template: fromRunner('JOBS_TEST_EMBEDDED_TEMPLATE', 'makes the files of new databases') },
  };
}

/** The Redis that the runner started, also for processes that a test starts. */
export function redisUrl(): string {
  return fromRunner('JOBS_TEST_REDIS_URL', 'starts a redis-server');
}

/** The Postgres that the runner started, also for processes that a test starts. */
export function postgresUrl(): string {
  return fromRunner('JOBS_TEST_POSTGRES_URL', 'starts a Postgres');
}

function fromRunner(variable: string, does: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: run the tests with \`npm test\`, which ${does} for them`);
  return value;
}

/** Tests share one server: each module gets keys (Redis) or a schema (Postgres) of its own. */
export function uniqueNamespace(): string {
  return `test_${randomUUID().replaceAll('-', '')}`;
}

/** The namespace of an app that no other shares: in a database of its own the schema that is there already. */
export function ownNamespace({ name }: TestBackend): string {
  if (name !== 'embedded') return uniqueNamespace();
  return fromRunner('JOBS_TEST_EMBEDDED_SCHEMA', 'makes the files of new databases');
}
