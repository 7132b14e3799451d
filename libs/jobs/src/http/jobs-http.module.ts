import { Module, type DynamicModule } from '@nestjs/common';
import { AcceptedReplies } from './accepted-replies.js';
import { JobAccess } from './job-access.js';
import { DEFAULT_PACE, JobStreams, STREAM_PACE } from './job-streams.js';
import { JobUrls } from './job-urls.js';
import { checkHttpOptions, JOBS_HTTP_OPTIONS, type JobsHttpOptions } from './jobs-http.options.js';
import { JobResultController } from './job-result.controller.js';
import { JobsController } from './jobs.controller.js';
import { ListCursors } from './list-cursors.js';
import { LongPolls } from './long-poll.js';
import { TaskDurations } from './task-durations.js';

/**
 * Endpoints to poll, follow, list, cancel and redrive jobs, and the answers made with {@link accepted}.
 *
 * `GET /jobs`, `GET /jobs/:id` (with `?wait=30s`), `GET /jobs/:id/events`, `GET /jobs/:id/tree`, `POST /jobs/batch-status`,
 * `POST /jobs/:id/redrive` and `DELETE /jobs/:id`, under the app's global prefix and in no version.
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
 * @throws {@link InvalidJobsOptionsError}, {@link UnknownJobsOptionError}
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
        ListCursors,
        LongPolls,
        TaskDurations,
        { provide: STREAM_PACE, useValue: DEFAULT_PACE },
        { provide: JOBS_HTTP_OPTIONS, useValue: checkHttpOptions(options) },
      ],
    };
  }
}
