import { Controller, Get, Module, type DynamicModule } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { JobsHealthIndicator, JobsHealthModule } from '../../libs/jobs/src/health/index.js';

/** `GET /health`, as the guide has it. */
@Controller('health')
export class HealthEndpoint {
  constructor(
    private readonly health: HealthCheckService,
    private readonly jobs: JobsHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.jobs.isHealthy()]);
  }
}

@Module({})
export class HealthEndpointModule {
  static beside(work: DynamicModule): DynamicModule {
    return {
      module: HealthEndpointModule,
      imports: [work, TerminusModule.forRoot({ logger: false }), JobsHealthModule],
      controllers: [HealthEndpoint],
    };
  }
}
