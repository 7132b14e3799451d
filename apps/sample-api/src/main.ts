import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { DOCS_PATH, setUpApiDocs } from './api-docs.js';
import { boot } from './boot.js';
import type { EnvironmentConfig } from './config/jobs-options.js';

await boot(async () => {
  // Importing the module reads the environment, and a bad value has to be reported like any other failed boot.
  const { AppModule } = await import('./app.module.js');
  const app = await NestFactory.create(AppModule, { abortOnError: false });
  app.enableShutdownHooks();
  setUpApiDocs(app);
  const port = app.get<EnvironmentConfig>(ConfigService).get('PORT', { infer: true });
  try {
    await app.listen(port);
  } catch (error) {
    await app.close();
    throw error;
  }
  process.stdout.write(`${announcement(new URL(await app.getUrl()).port)}\n`);
});

function announcement(port: string): string {
  const url = `http://localhost:${port}`;
  const demo = port === '3000' ? 'npm run demo' : `DEMO_URL=${url} npm run demo`;
  return `Sample API: ${url}  Docs: ${url}/${DOCS_PATH}  Try it: open it in a browser, or ${demo}`;
}
