import { AcceptedJob } from '../client/accepted-job.js';
import type { JobHandle } from '../client/job-handle.js';

export { AcceptedJob } from '../client/accepted-job.js';

/**
 * The answer of an endpoint that has enqueued a job: 202 with `{ id, state, pollUrl }`, a `Location` header of the same
 * url, and `Retry-After`. Needs {@link JobsHttpModule} in the app.
 *
 * @example
 * ```ts
 * import { Body, Controller, Injectable, Post } from '@nestjs/common';
 * import { JobsService, Task, task } from 'nestjs-jobs';
 * import { accepted, type AcceptedJob } from 'nestjs-jobs/http';
 *
 * @Injectable()
 * class Reports {
 *   @Task()
 *   async generate(payload: { reportId: string }): Promise<void> {
 *     console.log(payload.reportId);
 *   }
 * }
 *
 * @Controller('reports')
 * export class ReportsController {
 *   constructor(private readonly jobs: JobsService) {}
 *
 *   @Post()
 *   async create(@Body('reportId') reportId: string): Promise<AcceptedJob> {
 *     return accepted(await this.jobs.enqueue(task(Reports, 'generate'), { reportId }));
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function accepted(job: JobHandle): AcceptedJob {
  return new AcceptedJob(job);
}
