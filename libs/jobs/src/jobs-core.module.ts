import { Inject, Logger, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { Adopted } from './nest-schedule/nest-schedule-adoption.js';
import { QUEUE_BACKEND } from './backend/backend.tokens.js';
import { openBackend } from './backend/open-backend.js';
import type { QueueBackend } from './backend/queue-backend.js';
import { CanvasCallbacks } from './canvas/canvas-callbacks.js';
import { CanvasFlows } from './canvas/canvas-flows.js';
import { CanvasGate } from './canvas/canvas-gate.js';
import { CanvasMembers } from './canvas/canvas-members.js';
import { CanvasNodes } from './canvas/canvas-nodes.js';
import { CanvasPlacer } from './canvas/canvas-placer.js';
import { CanvasReader } from './canvas/canvas-reader.js';
import { CanvasStarter } from './canvas/canvas-starter.js';
import { ChildResults } from './canvas/child-results.js';
import { Census } from './census/census.js';
import { BackgroundWork } from './client/background-work.js';
import { JobList } from './client/job-list.js';
import { JobReader } from './client/job-reader.js';
import { JobWatches } from './client/job-watches.js';
import { JobsClient } from './client/jobs-client.js';
import { QueueHints } from './client/queue-hints.js';
import { JobsService } from './client/jobs.service.js';
import { Queues } from './client/queues.js';
import { Routing } from './client/routing.js';
import { DeadLetterReader } from './dead-letters/dead-letter-reader.js';
import { DeadLetters } from './dead-letters/dead-letters.js';
import { Redriver } from './dead-letters/redriver.js';
import { JobEvents } from './events/job-events.js';
import { ListenerExplorer } from './events/listener.explorer.js';
import { FleetDeclarations } from './fleet/fleet-declarations.js';
import { JobExplainer } from './fleet/explain/job-explainer.js';
import { PictureTaker } from './fleet/explain/picture-taker.js';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } from './jobs.module-definition.js';
import { JobResults } from './results/job-results.js';
import { openResultStores, RESULT_STORES, type ResultStores } from './results/open-result-store.js';
import { ResultKeeper } from './results/result-keeper.js';
import { StoredResults } from './results/stored-results.js';
import { Fleet } from './fleet/fleet.js';
import { FleetAsker } from './fleet/fleet-asker.js';
import { FleetJobs } from './fleet/fleet-jobs.js';
import { FleetProcesses } from './fleet/fleet-processes.js';
import { QueueControl } from './fleet/queue-control.js';
import { IdempotentJobs } from './idempotency/idempotent-jobs.js';
import { IdempotentRequests } from './idempotency/idempotent-requests.js';
import { JobLimits } from './limits/job-limits.js';
import { LimitDeclarations } from './limits/limit-declarations.js';
import { RateLimits } from './limits/rate-limits.js';
import { JobLocks } from './locking/job-locks.js';
import type { JobsModuleOptions, ResolvedJobsOptions } from './options/jobs-options.js';
import { assertOneJobsModule } from './options/one-jobs-module.js';
import { RESOLVED_OPTIONS } from './options/options.tokens.js';
import { resolveOptions } from './options/resolve-options.js';
import { CodeInLine } from './parking/code-in-line.js';
import { CodeWaiters } from './parking/code-waiters.js';
import { Parking } from './parking/parking.js';
import { FireSender } from './schedule/fire-sender.js';
import { ScheduleAlarms } from './schedule/schedule-alarms.js';
import { ScheduleClock } from './schedule/schedule-clock.js';
import { ScheduleDeclarations } from './schedule/schedule-declarations.js';
import { ScheduleFires } from './schedule/schedule-fires.js';
import { ScheduleRecords } from './schedule/schedule-records.js';
import { ScheduleTurns } from './schedule/schedule-turns.js';
import { Schedules } from './schedule/schedules.js';
import type { TaskDefinition } from './task/task-definition.js';
import { TaskExplorer } from './task/task.explorer.js';
import { TaskRegistry } from './task/task.registry.js';
import { TaskSettings } from './task/task.settings.js';

/**
 * Options, queues and client. Nest initialises global modules first and destroys them last, which is right for these:
 * a job that enqueues while the workers drain must find its queue open.
 *
 * @internal
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    {
      provide: RESOLVED_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN, ModulesContainer],
      useFactory: (options: JobsModuleOptions, modules: ModulesContainer) => {
        assertOneJobsModule(modules, JobsCoreModule);
        return resolveOptions(options);
      },
    },
    {
      provide: QUEUE_BACKEND,
      inject: [RESOLVED_OPTIONS],
      useFactory: (options: ResolvedJobsOptions) => openBackend(options, new Logger('Jobs')),
    },
    {
      provide: RESULT_STORES,
      inject: [RESOLVED_OPTIONS, QUEUE_BACKEND],
      useFactory: (options: ResolvedJobsOptions, backend: QueueBackend) =>
        openResultStores(options, backend, new Logger('Jobs')),
    },
    TaskSettings,
    TaskExplorer,
    TaskRegistry,
    ListenerExplorer,
    JobEvents,
    Queues,
    JobReader,
    QueueHints,
    BackgroundWork,
    Routing,
    JobsClient,
    JobWatches,
    JobList,
    DeadLetterReader,
    Redriver,
    DeadLetters,
    CodeWaiters,
    Parking,
    StoredResults,
    ResultKeeper,
    JobResults,
    CodeInLine,
    IdempotentJobs,
    IdempotentRequests,
    JobLocks,
    RateLimits,
    JobLimits,
    LimitDeclarations,
    CanvasFlows,
    CanvasPlacer,
    CanvasGate,
    CanvasReader,
    CanvasStarter,
    ChildResults,
    CanvasNodes,
    CanvasCallbacks,
    CanvasMembers,
    ScheduleRecords,
    ScheduleDeclarations,
    ScheduleClock,
    FireSender,
    ScheduleFires,
    ScheduleAlarms,
    ScheduleTurns,
    Schedules,
    Census,
    FleetDeclarations,
    FleetProcesses,
    FleetAsker,
    FleetJobs,
    QueueControl,
    PictureTaker,
    JobExplainer,
    Fleet,
    JobsService,
  ],
  exports: [
    RESOLVED_OPTIONS,
    QUEUE_BACKEND,
    TaskRegistry,
    JobEvents,
    Queues,
    JobReader,
    BackgroundWork,
    JobsClient,
    JobWatches,
    DeadLetters,
    Parking,
    StoredResults,
    ResultKeeper,
    JobResults,
    IdempotentJobs,
    IdempotentRequests,
    JobLocks,
    RateLimits,
    JobLimits,
    CanvasPlacer,
    CanvasNodes,
    CanvasCallbacks,
    CanvasMembers,
    ScheduleRecords,
    ScheduleDeclarations,
    ScheduleClock,
    ScheduleFires,
    ScheduleAlarms,
    ScheduleTurns,
    Schedules,
    Census,
    FleetDeclarations,
    FleetProcesses,
    QueueControl,
    Fleet,
    JobsService,
  ],
})
export class JobsCoreModule extends ConfigurableModuleClass implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly explorer: TaskExplorer,
    private readonly registry: TaskRegistry,
    private readonly listeners: ListenerExplorer,
    private readonly events: JobEvents,
    private readonly limits: LimitDeclarations,
    private readonly routing: Routing,
    private readonly schedules: ScheduleDeclarations,
    private readonly queues: Queues,
    private readonly moduleRef: ModuleRef,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESULT_STORES) private readonly results: ResultStores | undefined,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    super();
  }

  async onModuleInit(): Promise<void> {
    try {
      const tasks = this.explorer.explore();
      const adopted = await this.adopt(tasks);
      this.registry.fill([...tasks, ...adopted.tasks]);
      this.events.fill(this.listeners.explore());
      this.limits.declareAll();
      await this.routing.open();
      await this.schedules.read(adopted.schedules);
    } catch (error) {
      // Nest runs no shutdown hooks after a boot that failed.
      await this.backend.close(this.options.connectTimeout);
      throw error;
    }
  }

  /** Apps that do not ask for it need not load it. */
  private async adopt(tasks: readonly TaskDefinition[]): Promise<Adopted> {
    if (!this.options.adoptNestSchedule) return { tasks: [], schedules: [] };
    const { NestScheduleAdoption } = await import('./nest-schedule/nest-schedule-adoption.js');
    return (await this.moduleRef.create(NestScheduleAdoption)).adopt(tasks);
  }

  async onApplicationShutdown(): Promise<void> {
    const { connectTimeout } = this.options;
    await this.queues.close(connectTimeout);
    await this.backend.close(connectTimeout);
    await this.results?.close();
  }
}
