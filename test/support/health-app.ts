import { Controller, Get, Injectable, type DynamicModule, type Type } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { NonRetryableError, Task, task, type JobsModuleOptions } from 'nestjs-jobs';
import { JobsHealthIndicator, JobsHealthModule, type JobsHealthProblem } from 'nestjs-jobs/health';
import request from 'supertest';
import type { TestBackend } from './backends.js';
import { startJobsApp, type JobsApp } from './jobs-app.js';

@Injectable()
export class Errands {
  @Task({ name: 'errands.run' })
  run(): void {}

  @Task({ name: 'errands.fail' })
  fail(): never {
    throw new NonRetryableError('no use');
  }
}

export const run = task(Errands, 'run');
export const fail = task(Errands, 'fail');

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly jobs: JobsHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.jobs.isHealthy()]);
  }

  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.jobs.isLive()]);
  }

  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.jobs.isReady()]);
  }
}

/** What `GET /health` and its like answered of jobs. */
export interface HealthAnswer {
  /** Of HTTP. */
  code: number;
  /** Of everything. */
  overall: string;
  status: 'up' | 'degraded' | 'down';
  reasons: string[];
  warnings: string[];
  problems: JobsHealthProblem[];
  text: string;
}

export interface HealthApp extends JobsApp {
  get(path?: '' | '/live' | '/ready'): Promise<HealthAnswer>;
  /** The status codes of the whole, of ready and of live. */
  codes(): Promise<number[]>;
}

/** An app that is asked for its health over HTTP. */
export async function startHealthApp(
  backend: TestBackend,
  health: DynamicModule | Type = JobsHealthModule,
  options: JobsModuleOptions = {},
): Promise<HealthApp> {
  const started = await startJobsApp({
    backend,
    providers: [Errands],
    controllers: [HealthController],
    imports: [TerminusModule.forRoot({ logger: false }), health],
    options,
  });
  await started.app.listen(0, '127.0.0.1');
  const http = request(started.app.getHttpServer());
  const get = async (path = ''): Promise<HealthAnswer> => {
    const { status: code, body, text } = await http.get(`/health${path}`);
    return { code, overall: body.status, reasons: [], warnings: [], problems: [], ...body.details?.jobs, text };
  };
  const codes = async (): Promise<number[]> =>
    Promise.all((['', '/ready', '/live'] as const).map(async (path) => (await get(path)).code));
  return { ...started, get, codes };
}
