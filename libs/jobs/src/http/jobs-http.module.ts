import { Module, type DynamicModule } from '@nestjs/common';
import { AcceptedReplies } from './accepted-replies.js';
import { JobAccess } from './job-access.js';
import { JobStreams } from './job-streams.js';
import { JobUrls } from './job-urls.js';
import { JOBS_HTTP_OPTIONS, type JobsHttpOptions } from './jobs-http.options.js';
import { JobResultController } from './job-result.controller.js';
import { JobsController } from './jobs.controller.js';
import { TaskDurations } from './task-durations.js';

/**
 * Endpoints to poll jobs by their id, and the answers made with {@link accepted}.
 *
 * `GET /jobs/:id`, `POST /jobs/batch-status` and `DELETE /jobs/:id`, under the app's global prefix and in no version.
 *
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { JobsModule } from 'nestjs-jobs';
 * import { JobsHttpModule } from 'nestjs-jobs/http';
 *
 * @Module({
 *   imports: [JobsHttpModule.forRoot({ authorize: (_request, _job, action) => action === 'read' }), JobsModule.forRoot()],
 * })
 * export class AppModule {}
 * ```
 *
 * @publicApi
 */
@Module({})
export class JobsHttpModule {
  static forRoot(options: JobsHttpOptions = {}): DynamicModule {
    return {
      module: JobsHttpModule,
      controllers: [JobsController, JobResultController],
      providers: [
        JobUrls,
        AcceptedReplies,
        JobAccess,
        JobStreams,
        TaskDurations,
        { provide: JOBS_HTTP_OPTIONS, useValue: options },
      ],
    };
  }
}
