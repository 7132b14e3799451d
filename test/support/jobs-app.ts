import type { INestApplication, LoggerService, Provider, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { JobsModule, JobsService, type JobsModuleOptions } from 'nestjs-jobs';
import { ownNamespace, type TestBackend } from './backends.js';
import { MemoryLogger } from './memory-logger.js';

export interface JobsAppSettings {
  backend: TestBackend;
  providers?: Provider[];
  controllers?: Type[];
  imports?: NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>;
  options?: JobsModuleOptions;
  logger?: LoggerService | false;
}

/** An app with jobs on one backend, in a namespace of its own unless `options` names one. */
export interface JobsApp {
  app: INestApplication;
  jobs: JobsService;
  readonly close: () => Promise<void>;
}

const open = new Set<INestApplication>();

// What a test that failed has left would go on beside the next file of the same process. A child process has no afterAll.
globalThis.afterAll?.(() => Promise.allSettled([...open].map((app) => app.close())));

/** Boots a real Nest app; the caller closes it. */
export async function startJobsApp(settings: JobsAppSettings): Promise<JobsApp> {
  const { backend, providers = [], controllers = [], imports = [], options = {}, logger = false } = settings;
  const module = await Test.createTestingModule({
    providers,
    controllers,
    imports: [
      ...imports,
      JobsModule.forRoot({
        connection: backend.connection()!,
        namespace: ownNamespace(backend),
        // Two busy cores are no outage.
        connectTimeout: '10s',
        ...options,
      }),
    ],
  })
    // While it compiles, the backend may have something to say already.
    .setLogger(logger === false ? new MemoryLogger() : logger)
    .compile();
  const app = module.createNestApplication({ logger });
  const close = app.close.bind(app);
  app.close = () => {
    open.delete(app);
    return close();
  };
  await app.init();
  open.add(app);
  return { app, jobs: app.get(JobsService), close: () => app.close() };
}
