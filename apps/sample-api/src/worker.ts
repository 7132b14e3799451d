import { NestFactory } from '@nestjs/core';
import { boot } from './boot.js';
import { EnvironmentError, JOBS_URL_FORMS } from './config/environment.js';

await boot(async () => {
  // Importing the module reads the environment (and .env), and a bad value has to be reported like any other failed boot.
  const { WorkerModule } = await import('./worker.module.js');
  if (process.env['JOBS_URL'] === undefined) {
    throw new EnvironmentError(
      `A worker process needs JOBS_URL (${JOBS_URL_FORMS}), the same as the API: the embedded backend belongs to one process.`,
    );
  }
  const app = await NestFactory.createApplicationContext(WorkerModule, { abortOnError: false });
  app.enableShutdownHooks();
  process.stdout.write('Sample worker: consuming reports, webhooks, payments and imports, and firing schedules\n');
});
