import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { JobsRunner, JobsService, Task, task } from 'nestjs-jobs';
import { backends, redisUrl, type TestBackend } from '../support/backends.js';
import { startJobsApp } from '../support/jobs-app.js';

const SECRET = 's3cret-of-the-test';

@Injectable()
class Echo {
  constructor(
    readonly jobs: JobsService,
    readonly runner: JobsRunner,
  ) {}

  @Task()
  echo(text: string): string {
    return text;
  }
}

function withPassword(url: string, user: string): string {
  const secret = new URL(url);
  secret.username = user;
  secret.password = SECRET;
  return String(secret);
}

// `describe.each` refuses an empty table: the embedded backend has no password.
const servers = backends.filter(({ name }) => name !== 'embedded');
if (servers.length > 0) {
  describe.each(servers)('secrets of $name', (backend) => {
    beforeAll(async () => {
      if (backend.name !== 'redis') return;
      const redis = new Redis(redisUrl());
      await redis.call('ACL', 'SETUSER', 'jobs', 'on', `>${SECRET}`, '~*', '&*', '+@all');
      await redis.quit();
    });

    it('are not shown by what the app holds, when it is logged', async () => {
      const url = withPassword(backend.connection() as string, 'jobs');
      const secretive: TestBackend = { name: backend.name, connection: () => url };
      const { app, jobs, close } = await startJobsApp({ backend: secretive, providers: [Echo] });
      const job = await jobs.enqueue(task(Echo, 'echo'), 'x');
      expect(await job.result()).toBe('x');
      for (const held of [jobs, app.get(Echo), app.get(JobsRunner), job]) {
        // Deeper there is Nest's own container, with the options that it was given.
        expect(inspect(held, { depth: 5 })).not.toContain(SECRET);
      }
      await close();
    });
  });
}
