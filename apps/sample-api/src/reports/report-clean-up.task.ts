import { Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Cron, type JobContext, Task } from 'nestjs-jobs';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import { REPORTS_QUEUE } from './generate-report.payload.js';
import { type Removed, ReportStore } from './report-store.js';

export const CLEAN_UP = 'reports.clean-up';

const DAY = 24 * 3_600_000;

@Injectable()
export class ReportCleanUp {
  constructor(
    private readonly store: ReportStore,
    @Inject(ConfigService) private readonly config: EnvironmentConfig,
  ) {}

  /**
   * Each night, in one process of the fleet. A run that is interrupted has removed what it has removed; the next attempt
   * goes on with what is left. After an outage one run makes up for all that were missed, if the last one is not older
   * than a day.
   */
  @Cron('30 3 * * *', { overlap: 'skip' })
  @Task({ name: CLEAN_UP, queue: REPORTS_QUEUE })
  async removeOld(_payload: undefined, job: JobContext): Promise<Removed> {
    const days = this.config.get('REPORTS_KEEP_DAYS', { infer: true });
    return this.store.removeUntouchedSince(Date.now() - days * DAY, job.signal);
  }
}
