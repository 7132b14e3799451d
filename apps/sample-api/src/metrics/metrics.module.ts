import { Module } from '@nestjs/common';
import { JobsMetricsModule } from 'nestjs-jobs/metrics';
import { MetricsGuard } from './metrics.guard.js';

@Module({ imports: [JobsMetricsModule.forRoot({ guards: [MetricsGuard] })] })
export class MetricsModule {}
