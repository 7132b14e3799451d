import { randomUUID } from 'node:crypto';
import { ConflictException, Inject, Injectable, NotFoundException } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { type JobHandle, JobsService, type ScheduleInfo, task } from 'nestjs-jobs';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import type { GenerateReport } from '../reports/generate-report.payload.js';
import { Reports } from '../reports/reports.task.js';
import { describeCron } from './cron-description.js';
import type { ScheduleRequest } from './schedule-request.js';

const MOST_READ = 500;

/**
 * Schedules of reports, each of one user. What is somebody else's, or the app's own, is not there for him. A name cannot
 * be guessed, because the ids of the jobs are made of it and their times, and whoever knows such an id may read the job.
 */
@Injectable()
export class ReportSchedules {
  constructor(
    private readonly jobs: JobsService,
    @Inject(ConfigService) private readonly config: EnvironmentConfig,
  ) {}

  /** @throws {ConflictException} when the user has as many as he may; two at once may go one beyond. */
  async create(user: string, request: ScheduleRequest): Promise<ScheduleInfo> {
    const most = this.config.get('SCHEDULES_PER_USER', { infer: true });
    const { schedules } = await this.jobs.schedules.list({ owner: user, limit: most });
    if (schedules.length >= most) {
      throw new ConflictException(`You have ${schedules.length} schedules, and may have ${most}. Delete one first.`);
    }
    const { cron, timeZone, dataset, ...columns } = request;
    const payload: GenerateReport = { source: { kind: 'dataset', name: dataset }, ...columns };
    return this.jobs.schedules.create({
      name: `report-${randomUUID()}`,
      task: task(Reports, 'generate'),
      payload,
      cron,
      timeZone,
      overlap: 'skip',
      owner: user,
      description: describeCron(cron, timeZone),
      headers: { user },
    });
  }

  async list(user: string): Promise<ScheduleInfo[]> {
    return (await this.jobs.schedules.list({ owner: user, limit: MOST_READ })).schedules;
  }

  /** @throws {NotFoundException} when the user has none of this name. */
  async find(user: string, name: string): Promise<ScheduleInfo> {
    const found = await this.jobs.schedules.get(name);
    if (found?.owner === user) return found;
    throw new NotFoundException('You have no such schedule. GET /schedules lists those that you have.');
  }

  async pause(user: string, name: string): Promise<ScheduleInfo> {
    await this.find(user, name);
    return this.jobs.schedules.pause(name);
  }

  async resume(user: string, name: string): Promise<ScheduleInfo> {
    await this.find(user, name);
    return this.jobs.schedules.resume(name);
  }

  async trigger(user: string, name: string): Promise<JobHandle> {
    await this.find(user, name);
    return this.jobs.schedules.trigger(name);
  }

  async delete(user: string, name: string): Promise<void> {
    await this.find(user, name);
    await this.jobs.schedules.delete(name);
  }
}
