import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { JobsHealthModule } from '../../libs/jobs/src/health/index.js';
import { HealthController } from '../support/health.controller.js';

@Module({})
export class HealthEndpointModule {
  static beside(work: DynamicModule): DynamicModule {
    return {
      module: HealthEndpointModule,
      imports: [work, TerminusModule.forRoot({ logger: false }), JobsHealthModule],
      controllers: [HealthController],
    };
  }
}
