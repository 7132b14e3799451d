import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { Registry } from 'prom-client';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin, withTimeout } from '../backend/with-timeout.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { Census } from '../census/census.js';
import type { Figures } from '../census/figures.js';
import { JobsClient } from '../client/jobs-client.js';
import { JobEvents } from '../events/job-events.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { ScheduleFires } from '../schedule/schedule-fires.js';
import { TaskRegistry } from '../task/task.registry.js';
import { JobsRunner } from '../worker/jobs.runner.js';
import { Watchdog } from '../worker/watchdog.js';
import { WorkerControl } from '../worker/worker-control.js';
import { WorkerPresence } from '../worker/worker-presence.js';
import { FleetExporter } from './fleet-exporter.js';
import { JobCounts } from './job-counts.js';
import type { MetricsSettings } from './jobs-metrics.options.js';
import type { PROCESS_COUNTERS, PROCESS_GAUGES } from './metric-definitions.js';
import { RegisterMetrics, type ByQueue, type LiveApp } from './register-metrics.js';

/** How old (ms) what was counted in the fleet may be. */
const MAX_AGE = 5_000;

/** @internal */
export const METRICS_SETTINGS = Symbol.for('nestjs-jobs:metrics-settings');

/** With the register that they are in. @internal */
export interface RegisteredSettings extends MetricsSettings {
  readonly register: Registry;
}

/** Has one app counted, and its metrics in a register. @internal */
@Injectable()
export class JobsMetrics
  implements LiveApp, OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly logger = new Logger('Jobs');
  private metrics: RegisterMetrics | undefined;
  private exporter!: FleetExporter;
  private reading: Promise<Figures | undefined> | undefined;
  private hasReleased = false;

  constructor(
    private readonly moduleRef: ModuleRef,
    @Inject(METRICS_SETTINGS) private readonly settings: RegisteredSettings,
  ) {}

  /** Before the workers start. */
  async onModuleInit(): Promise<void> {
    const events = this.find<JobEvents>(JobEvents);
    if (events.observer) await this.refuseSecond();
    const { register, prefix, buckets } = this.settings;
    const options = this.find<ResolvedJobsOptions>(RESOLVED_OPTIONS);
    const registry = this.find<TaskRegistry>(TaskRegistry);
    this.exporter = new FleetExporter(
      this.find<QueueBackend>(QUEUE_BACKEND).ledger,
      this.find<WorkerPresence>(WorkerPresence).id,
    );
    this.metrics = RegisterMetrics.in(register, prefix, buckets);
    const counts = new JobCounts(this.metrics.tallies, {
      hasTask: (name) => registry.find(name) !== undefined,
      hasQueue: (name) => options.queues.has(name),
    });
    events.observer = counts;
    this.find<ScheduleFires>(ScheduleFires).observer = counts;
    for (const { name, queue } of registry.all()) if (options.workedQueues.has(queue)) counts.expect(queue, name);
  }

  /** Nest tells nobody of a boot that failed before: such an app would be asked at each scrape from then on. */
  onApplicationBootstrap(): void {
    this.metrics?.add(this);
  }

  /** What ended while the workers drained was counted, and the store is still open. */
  async beforeApplicationShutdown(): Promise<void> {
    const { connectTimeout } = this.find<ResolvedJobsOptions>(RESOLVED_OPTIONS);
    await settlesWithin(connectTimeout, this.release());
  }

  onApplicationShutdown(): void {
    this.metrics?.remove(this);
  }

  counted(counter: keyof typeof PROCESS_COUNTERS): number {
    if (counter === 'restarts') return this.find<Watchdog>(Watchdog).restarts;
    const key = counter === 'listenerErrors' ? 'errors' : 'dropped';
    return this.find<JobEvents>(JobEvents)
      .counts()
      .reduce((sum, counts) => sum + counts[key], 0);
  }

  measured(gauge: keyof typeof PROCESS_GAUGES): ByQueue {
    const queues = this.find<WorkerControl>(WorkerControl)
      .queues()
      .filter(({ queue }) => queue !== INTERNAL_QUEUE);
    if (gauge === 'active') return new Map(queues.map(({ queue, active }) => [queue, active]));
    const { isDraining } = this.find<JobsRunner>(JobsRunner);
    return new Map(
      queues.map(({ queue, paused, concurrency }) => {
        if (paused || isDraining) return [queue, 0];
        return [queue, gauge === 'workers' ? 1 : concurrency];
      }),
    );
  }

  /** Once for all gauges of a scrape. */
  fleet(): Promise<Figures | undefined> {
    this.reading ??= this.readFleet()
      .catch((error: Error) => {
        // The scrape answers with what this process knows.
        this.logger.debug(`No figures of the fleet: ${error.message}`);
        return undefined;
      })
      .finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readFleet(): Promise<Figures | undefined> {
    if (!this.settings.fleetGauges) return undefined;
    if (this.find<JobsRunner>(JobsRunner).isDraining) {
      await this.release();
      return undefined;
    }
    const client = this.find<JobsClient>(JobsClient);
    if (!(await client.reach(() => this.exporter.isThisProcess()))) return undefined;
    const { connectTimeout } = this.find<ResolvedJobsOptions>(RESOLVED_OPTIONS);
    // The first count of a long backlog may take longer than Prometheus waits: a later scrape has it.
    const late = (): Error => new Error('they are still being counted');
    return withTimeout(this.find<Census>(Census).read(MAX_AGE), connectTimeout, late);
  }

  /** What the app has would be told by each. @throws {@link InvalidJobsOptionsError} */
  private async refuseSecond(): Promise<never> {
    const { connectTimeout } = this.find<ResolvedJobsOptions>(RESOLVED_OPTIONS);
    // Nest runs no shutdown hooks after a boot that failed, and connections would keep the process.
    await this.find<QueueBackend>(QUEUE_BACKEND).close(connectTimeout);
    throw new InvalidJobsOptionsError('JobsMetricsModule', 'imported once in an app', 'imported again');
  }

  private async release(): Promise<void> {
    if (this.hasReleased || !this.settings.fleetGauges) return;
    this.hasReleased = true;
    const client = this.find<JobsClient>(JobsClient);
    await client.reach(() => this.exporter.release()).catch(() => undefined);
  }

  /** The workers' module is not global; wherever it is, there is one. */
  private find<T>(token: symbol | (abstract new (...args: never[]) => T)): T {
    return this.moduleRef.get<T>(token as symbol, { strict: false });
  }
}
