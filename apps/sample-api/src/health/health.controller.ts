import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { JobsHealthIndicator } from 'nestjs-jobs/health';

@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly jobs: JobsHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  @ApiOperation({ summary: 'Everything this process depends on, with reasons' })
  check(): Promise<HealthCheckResult> {
    return this.checkJobs();
  }

  @Get('live')
  @ApiOperation({ summary: 'The process is up; says nothing of what it depends on' })
  @ApiOkResponse({ schema: { type: 'object', properties: { status: { type: 'string', example: 'ok' } } } })
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @HealthCheck()
  @ApiOperation({ summary: 'Jobs can be stored and, if this process has workers, they consume' })
  ready(): Promise<HealthCheckResult> {
    return this.checkJobs();
  }

  private checkJobs(): Promise<HealthCheckResult> {
    return this.health.check([() => this.jobs.isHealthy('jobs')]);
  }
}
