import { Module } from '@nestjs/common';
import { JobsHealthIndicator } from './jobs.health.js';

/**
 * Provides {@link JobsHealthIndicator} to the module that imports it, beside Terminus's own module.
 *
 * @publicApi
 */
@Module({ providers: [JobsHealthIndicator], exports: [JobsHealthIndicator] })
export class JobsHealthModule {}
