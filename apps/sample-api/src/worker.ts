import type { INestApplication } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { boot } from './boot.js';
import { EnvironmentError, JOBS_URL_FORMS } from './config/environment.js';
import type { EnvironmentConfig } from './config/jobs-options.js';

await boot(async () => {
  // Importing the module reads the environment (and .env), and a bad value has to be reported like any other failed boot.
  const { WorkerModule } = await import('./worker.module.js');
  if (process.env['JOBS_URL'] === undefined) {
    throw new EnvironmentError(
      `A worker process needs JOBS_URL (${JOBS_URL_FORMS}), the same as the API: the embedded backend belongs to one process.`,
    );
  }
  const app = await NestFactory.create(WorkerModule, { abortOnError: false });
  app.enableShutdownHooks();
  const metrics = await serveMetrics(app);
  process.stdout.write(
    `Sample worker: consuming reports, webhooks, payments and imports, and firing schedules${metrics}\n`,
  );
});

/** Nothing else is served here, and without a port nothing at all. */
async function serveMetrics(app: INestApplication): Promise<string> {
  const port = app.get<EnvironmentConfig>(ConfigService).get('WORKER_METRICS_PORT', { infer: true });
  if (port === undefined) {
    await app.init();
    return '';
  }
  try {
    await app.listen(port);
  } catch (error) {
    await app.close();
    throw error;
  }
  return `. Metrics: http://localhost:${new URL(await app.getUrl()).port}/metrics`;
}
