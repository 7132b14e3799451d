import { Controller, Get, Injectable, Post, UseFilters } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { JobsService, Task, task } from 'nestjs-jobs';
import { JobsHealthModule } from 'nestjs-jobs/health';
import { accepted, BackendUnavailableFilter, JobsHttpModule, type AcceptedJob } from 'nestjs-jobs/http';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { HealthController } from '../support/health.controller.js';
import { startJobsApp } from '../support/jobs-app.js';
import { freePort } from '../support/services/free-port.mjs';
import { startPostgres } from '../support/services/postgres.mjs';
import { startRedis } from '../support/services/redis.mjs';
import { signal } from '../support/signals.js';

const gate = { entered: signal(), open: signal() };

@Injectable()
class Reports {
  @Task({ name: 'reports.make' })
  async make(): Promise<string> {
    gate.entered.reach();
    await gate.open.reached;
    return 'made';
  }
}

@Controller('reports')
@UseFilters(BackendUnavailableFilter)
class ReportsController {
  constructor(private readonly jobs: JobsService) {}

  @Get('kinds')
  kinds(): string[] {
    return ['monthly'];
  }

  @Post()
  async make(): Promise<AcceptedJob> {
    return accepted(await this.jobs.enqueue(task(Reports, 'make')));
  }
}

const servers = [
  {
    name: 'redis' as const,
    start: (port: number): Promise<{ stop(): Promise<unknown> }> => startRedis({ port }),
    url: (port: number) => `redis://127.0.0.1:${port}`,
  },
  {
    name: 'postgres' as const,
    start: (port: number): Promise<{ stop(): Promise<unknown> }> => startPostgres({ port }),
    url: (port: number) => `postgres://jobs@127.0.0.1:${port}/jobs`,
  },
].filter((server) => backends.some(({ name }) => name === server.name));

// `describe.each` refuses an empty table: embedded has no server that could be away.
if (servers.length > 0) {
  describe.each(servers)('an API whose $name is away when it boots', ({ name, start, url }) => {
    it('[C9] answers all the same, is not ready, works when the server comes, and is not ready while it drains', async () => {
      Object.assign(gate, { entered: signal(), open: signal() });
      const port = await freePort();
      const { app, close } = await startJobsApp({
        backend: { name, connection: () => url(port) },
        providers: [Reports],
        controllers: [ReportsController, HealthController],
        imports: [TerminusModule.forRoot({ logger: false }), JobsHealthModule, JobsHttpModule.forRoot()],
        options: { connectTimeout: '500ms' },
      });
      await app.listen(0);
      const api = await app.getUrl();
      const request = async (path: string, method = 'GET'): Promise<{ status: number; body: unknown }> => {
        const response = await fetch(`${api}${path}`, { method });
        return { status: response.status, body: await response.json() };
      };

      expect(await request('/reports/kinds')).toEqual({ status: 200, body: ['monthly'] });
      expect((await request('/reports', 'POST')).status).toBe(503);
      expect(await request('/health')).toMatchObject({
        status: 503,
        body: { error: { jobs: { reasons: [expect.stringContaining('cannot be reached')] } } },
      });

      const server = await start(port);
      await eventually(async () => expect((await request('/health')).status).toBe(200), { timeout: 30_000 });
      const { status, body } = await request('/reports', 'POST');
      expect(status).toBe(202);
      await gate.entered.reached;

      const closed = close();
      // The API still answers while the workers drain, so whoever asks is told to look elsewhere.
      await eventually(async () =>
        expect(await request('/health')).toMatchObject({
          status: 503,
          body: { error: { jobs: { reasons: ['this process is shutting down'] } } },
        }),
      );
      expect(await request((body as { pollUrl: string }).pollUrl)).toMatchObject({ body: { state: 'running' } });
      gate.open.reach();
      await closed;
      await server.stop();
    });
  });
}
