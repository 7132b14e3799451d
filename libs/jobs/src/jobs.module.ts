import { Module, SetMetadata, type DynamicModule } from '@nestjs/common';
import { DeadLetterSweeper } from './dead-letters/dead-letter-sweeper.js';
import { AttemptEvents } from './events/attempt-events.js';
import { FleetEvents } from './events/fleet-events.js';
import { RunningJobs } from './execution/running-jobs.js';
import { TaskContextCreator } from './execution/task-context.creator.js';
import { TaskExecutor } from './execution/task.executor.js';
import { FailureHandlers } from './failure/failure-handlers.js';
import { FailureIntents } from './failure/failure-intents.js';
import { FailureOrigins } from './failure/failure-origins.js';
import { FleetAnswers } from './fleet/fleet-answers.js';
import { InvalidJobsOptionsError, isPlainObject } from './options/jobs-options.error.js';
import { JobsCoreModule } from './jobs-core.module.js';
import type { ASYNC_OPTIONS_TYPE, OPTIONS_TYPE } from './jobs.module-definition.js';
import { HOLDS_WORKERS } from './options/one-jobs-module.js';
import { CodeSchedules } from './schedule/code-schedules.js';
import { ScheduleKeeper } from './schedule/schedule-keeper.js';
import { UnservedSchedules } from './schedule/unserved-schedules.js';
import { ResultSweeper } from './results/result-sweeper.js';
import { BootReport } from './worker/boot-report.js';
import { CancelWatch } from './worker/cancel-watch.js';
import { EventLoopLag } from './worker/event-loop-lag.js';
import { GlobalConcurrency } from './worker/global-concurrency.js';
import { JobsRunner } from './worker/jobs.runner.js';
import { Watchdog } from './worker/watchdog.js';
import { WorkerControl } from './worker/worker-control.js';
import { WorkerPresence } from './worker/worker-presence.js';

/**
 * Background jobs for a Nest app. Import it once, last in the root module: then its workers are stopped, and have
 * finished what they were doing, before the modules that their tasks use are destroyed.
 *
 * Everything injectable from here is available in every module of the app, unless `global: false`.
 *
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { JobsModule } from 'nestjs-jobs';
 *
 * @Module({
 *   imports: [
 *     JobsModule.forRoot({
 *       connection: 'redis://localhost:6379',
 *       queues: { critical: { concurrency: 8 }, bulk: { concurrency: 2 } },
 *     }),
 *   ],
 * })
 * export class AppModule {}
 * ```
 *
 * @publicApi
 */
@SetMetadata(HOLDS_WORKERS, true)
@Module({
  providers: [
    AttemptEvents,
    FleetEvents,
    RunningJobs,
    TaskContextCreator,
    FailureOrigins,
    TaskExecutor,
    FailureHandlers,
    FailureIntents,
    BootReport,
    WorkerControl,
    WorkerPresence,
    GlobalConcurrency,
    FleetAnswers,
    CancelWatch,
    Watchdog,
    EventLoopLag,
    DeadLetterSweeper,
    ResultSweeper,
    CodeSchedules,
    UnservedSchedules,
    ScheduleKeeper,
    JobsRunner,
  ],
  exports: [JobsRunner],
})
export class JobsModule {
  /**
   * With no options: embedded, everything in `.jobs/`.
   *
   * @throws {@link InvalidJobsOptionsError}, {@link UnknownJobsOptionError}, {@link DuplicateJobsModuleError} when the
   * module is imported twice in one app, and the errors of tasks, all at boot.
   */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    assertObject(options, "an object like { connection: 'redis://localhost:6379' }");
    return this.around(JobsCoreModule.forRoot(options));
  }

  /** As {@link JobsModule.forRoot}, with options that are computed, injected or asked of a class of yours. */
  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    assertObject(options, 'an object like { inject: [ConfigService], useFactory: (config) => ({ ... }) }');
    return this.around(JobsCoreModule.forRootAsync(options));
  }

  /**
   * The workers live in this module, which is never global, around the global core: only so does Nest stop them before
   * other modules and close the queues after them.
   */
  private static around(core: DynamicModule): DynamicModule {
    return { module: JobsModule, imports: [core], exports: [core] };
  }
}

/** Nest would spread a url into an object of its characters. */
function assertObject(options: unknown, expected: string): void {
  if (!isPlainObject(options)) throw new InvalidJobsOptionsError('(all)', expected, options);
}
