// The app that is compiled and run against the installed package, as an ES module and as CommonJS.
import { Controller, Get, Injectable, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, type HealthCheckResult, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { type JobContext, JobsModule, JobsService, Task, task } from 'nestjs-jobs';
import { JobsHealthIndicator, JobsHealthModule } from 'nestjs-jobs/health';
import { accepted, type AcceptedJob, JobsHttpModule } from 'nestjs-jobs/http';
import { JobsMetricsModule } from 'nestjs-jobs/metrics';

@Injectable()
class Reports {
  @Task()
  async generate(payload: { title: string }, job: JobContext): Promise<{ title: string; attempt: number }> {
    await job.stage('RENDERING');
    return { title: payload.title.toUpperCase(), attempt: job.attempt };
  }
}

@Controller()
class ReportsController {
  constructor(
    private readonly jobs: JobsService,
    private readonly health: HealthCheckService,
    private readonly jobsHealth: JobsHealthIndicator,
  ) {}

  @Post('reports')
  async create(): Promise<AcceptedJob> {
    return accepted(await this.jobs.enqueue(task(Reports, 'generate'), { title: 'installed' }));
  }

  @Get('health')
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.jobsHealth.isHealthy('jobs')]);
  }
}

@Module({
  controllers: [ReportsController],
  providers: [Reports],
  imports: [
    TerminusModule,
    JobsHealthModule,
    JobsHttpModule.forRoot(),
    JobsMetricsModule.forRoot(),
    JobsModule.forRoot({
      connection: process.env['JOBS_URL'] ?? { embedded: { dataDir: '.jobs' } },
      namespace: process.env['JOBS_NAMESPACE'] ?? 'jobs',
    }),
  ],
})
class AppModule {}

async function answerOf(url: string, init?: RequestInit): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url, init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function run(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();

  const created = await answerOf(`${url}/reports`, { method: 'POST' });
  const id = created.body['id'] as string;
  const result = await app.get(JobsService).job(id).result({ timeout: '30s' });
  const polled = await answerOf(`${url}/jobs/${id}`);
  const health = await answerOf(`${url}/health`);
  const metrics = await fetch(`${url}/metrics`);
  const lines = await metrics.text();
  await app.close();

  console.log(
    JSON.stringify({
      created: created.status,
      result,
      polled: [polled.status, polled.body['state']],
      health: [health.status, health.body['status']],
      metrics: [metrics.status, /^jobs_finished_total.*outcome="succeeded".* 1$/m.test(lines)],
    }),
  );
}

void run();
