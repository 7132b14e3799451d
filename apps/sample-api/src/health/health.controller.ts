import { Controller, Get, Inject, Req, ServiceUnavailableException } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, type HealthCheckResult, type HealthIndicatorResult } from '@nestjs/terminus';
import type { Request } from 'express';
import { JobsHealthIndicator } from 'nestjs-jobs/health';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import { hasToken } from '../http/bearer-token.js';

/** Everyone gets the status, and 200 or 503. The reasons name queues, tasks and hosts, which are not everyone's business. */
type Told = HealthCheckResult | Pick<HealthCheckResult, 'status'>;

@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly jobs: JobsHealthIndicator,
    @Inject(ConfigService) private readonly config: EnvironmentConfig,
  ) {}

  @Get()
  @HealthCheck()
  @ApiOperation({ summary: 'Everything: this process, and queues and schedules of the whole fleet' })
  check(@Req() request: Request): Promise<Told> {
    return this.tell(request, () => this.jobs.isHealthy('jobs'));
  }

  @Get('live')
  @HealthCheck()
  @ApiOperation({ summary: 'A restart of this process would not help' })
  live(@Req() request: Request): Promise<Told> {
    return this.tell(request, () => this.jobs.isLive('jobs'));
  }

  @Get('ready')
  @HealthCheck()
  @ApiOperation({ summary: 'Jobs can be stored and, if this process has workers, they consume' })
  ready(@Req() request: Request): Promise<Told> {
    return this.tell(request, () => this.jobs.isReady('jobs'));
  }

  private async tell(request: Request, look: () => Promise<HealthIndicatorResult>): Promise<Told> {
    const shown = (result: HealthCheckResult): Told => (this.maySee(request) ? result : { status: result.status });
    try {
      return shown(await this.health.check([look]));
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      throw new ServiceUnavailableException(shown(error.getResponse() as HealthCheckResult));
    }
  }

  private maySee(request: Request): boolean {
    if (this.config.get('HEALTH_DETAILS', { infer: true }) === 'open') return true;
    const token = this.config.get('ADMIN_TOKEN', { infer: true });
    return token !== undefined && hasToken(request, token);
  }
}
