// Boots an app in a process of its own and says how long that took.
import { serveParent } from './alone.js';
import type { StoreAddress } from './stores.js';

const CLASSES = 20;
const METHODS = 10;
const QUEUES = 5;

export interface BootRequest {
  /** `none`: Nest and the same classes, without this library. `empty`: with it and its queues, but without tasks. */
  readonly variant: 'none' | 'empty' | 'tasks';
  readonly store: StoreAddress;
}

/** Milliseconds. */
export interface BootReport {
  /** For loading what the app imports. */
  readonly load: number;
  /** From there until the app has booted: its workers run. */
  readonly boot: number;
  /** What all threads computed in both. */
  readonly cpu: number;
}

serveParent(async ({ variant, store }: BootRequest): Promise<BootReport> => {
  const cpuAtStart = process.cpuUsage();
  const startedAt = performance.now();
  const [{ NestFactory }, { Injectable }] = await Promise.all([import('@nestjs/core'), import('@nestjs/common')]);
  const library = variant === 'none' ? undefined : await import('../../libs/jobs/src/index.js');
  const loadedAt = performance.now();

  const queues = Array.from({ length: QUEUES }, (_, n) => `queue-${n}`);
  const providers = Array.from({ length: CLASSES }, (_, n) => {
    class Tasks {}
    for (let method = 0; method < METHODS; method++) {
      const name = `run${method}`;
      Object.defineProperty(Tasks.prototype, name, { value: () => {}, writable: true, configurable: true });
      if (!library || variant !== 'tasks') continue;
      const decorate = library.Task({ name: `tasks${n}.${name}`, queue: queues[(n + method) % QUEUES]! });
      const descriptor = Object.getOwnPropertyDescriptor(Tasks.prototype, name)!;
      decorate(Tasks.prototype, name, descriptor as TypedPropertyDescriptor<() => void>);
    }
    Injectable()(Tasks);
    return Tasks;
  });
  const imports = library
    ? [
        library.JobsModule.forRoot({
          connection: store.location,
          namespace: 'bullmq',
          defaultQueue: queues[0]!,
          queues: Object.fromEntries(queues.map((queue) => [queue, {}])),
        }),
      ]
    : [];
  class AppModule {}
  const app = await NestFactory.createApplicationContext(
    { module: AppModule, providers, imports },
    { logger: ['error'] },
  );
  const bootedAt = performance.now();
  const { user, system } = process.cpuUsage(cpuAtStart);
  await app.close();
  return { load: loadedAt - startedAt, boot: bootedAt - loadedAt, cpu: (user + system) / 1_000 };
});
