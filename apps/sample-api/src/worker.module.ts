import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { JobsModule } from 'nestjs-jobs';
import { EnvironmentModule } from './config/environment.module.js';
import { type EnvironmentConfig, workerJobsOptions } from './config/jobs-options.js';
import { ImportsTaskModule } from './imports/imports-task.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PaymentsTaskModule } from './payments/payments-task.module.js';
import { ReportsTaskModule } from './reports/reports-task.module.js';
import { WebhooksTaskModule } from './webhooks/webhooks-task.module.js';

@Module({
  imports: [
    EnvironmentModule,
    ReportsTaskModule,
    WebhooksTaskModule,
    PaymentsTaskModule,
    ImportsTaskModule,
    MetricsModule,
    JobsModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: EnvironmentConfig) => workerJobsOptions(config),
    }),
  ],
})
export class WorkerModule {}
