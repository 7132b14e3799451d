import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { JobsModule } from 'nestjs-jobs';
import { JobsHttpModule } from 'nestjs-jobs/http';
import { EnvironmentModule } from './config/environment.module.js';
import { apiJobsOptions, type EnvironmentConfig } from './config/jobs-options.js';
import { DeadLettersModule } from './dead-letters/dead-letters.module.js';
import { HealthModule } from './health/health.module.js';
import { ImportsApiModule } from './imports/imports-api.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PageModule } from './page/page.module.js';
import { PaymentsApiModule } from './payments/payments-api.module.js';
import { ReportsApiModule } from './reports/reports-api.module.js';
import { SchedulesApiModule } from './schedules/schedules-api.module.js';
import { WebhooksApiModule } from './webhooks/webhooks-api.module.js';

@Module({
  imports: [
    EnvironmentModule,
    PageModule,
    ReportsApiModule,
    WebhooksApiModule,
    PaymentsApiModule,
    ImportsApiModule,
    SchedulesApiModule,
    DeadLettersModule,
    HealthModule,
    MetricsModule,
    // This app has no accounts: a job's id cannot be guessed, and whoever has it may read that job and its parts, watch
    // and cancel them.
    JobsHttpModule.forRoot({
      authorize: (_request, _job, action) => ['read', 'events', 'tree', 'cancel'].includes(action),
    }),
    // Last, so that running jobs are drained before anything they use is closed.
    JobsModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: EnvironmentConfig) => apiJobsOptions(config),
    }),
  ],
})
export class AppModule {}
