import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { JobsHealthIndicator } from './jobs.health.js';

/**
 * Provides {@link JobsHealthIndicator} to the module that imports it, beside Terminus's own module.
 *
 * @publicApi
 */
@Module({
  imports: [TerminusModule],
  providers: [JobsHealthIndicator],
  exports: [JobsHealthIndicator],
})
export class JobsHealthModule {}
