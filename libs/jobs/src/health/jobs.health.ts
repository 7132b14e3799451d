import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
// Types only: a package that a subpath imports must be installed for the subpath to load at all.
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { UnservedSchedules } from '../schedule/unserved-schedules.js';
import { JobsRunner } from '../worker/jobs.runner.js';
import { Watchdog } from '../worker/watchdog.js';

/**
 * Tells Terminus whether background jobs work: the backend answers, and the workers of this process consume.
 *
 * @example
 * ```ts
 * import { Controller, Get } from '@nestjs/common';
 * import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
 * import { JobsHealthIndicator } from 'nestjs-jobs/health';
 *
 * @Controller('health')
 * export class HealthController {
 *   constructor(
 *     private readonly health: HealthCheckService,
 *     private readonly jobs: JobsHealthIndicator,
 *   ) {}
 *
 *   @Get()
 *   @HealthCheck()
 *   check(): Promise<HealthCheckResult> {
 *     return this.health.check([() => this.jobs.isHealthy('jobs')]);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
@Injectable()
export class JobsHealthIndicator {
  /** @internal */
  constructor(private readonly moduleRef: ModuleRef) {}

  /**
   * Down with the reasons from the moment the shutdown begins, when the backend does not answer within `connectTimeout`,
   * and when a worker does not consume. `watchdogRestarts` says how often this process had to rebuild connections whose
   * workers had become deaf.
   */
  async isHealthy(key = 'jobs'): Promise<HealthIndicatorResult> {
    const backend = this.find<QueueBackend>(QUEUE_BACKEND);
    const runner = this.find<JobsRunner>(JobsRunner);
    const watchdogRestarts = this.find<Watchdog>(Watchdog).restarts;
    const down = (...reasons: string[]): HealthIndicatorResult => ({
      [key]: { status: 'down', backend: backend.kind, reasons, watchdogRestarts },
    });
    if (runner.isDraining) return down('this process is shutting down');
    try {
      await backend.ping(this.find<ResolvedJobsOptions>(RESOLVED_OPTIONS).connectTimeout);
    } catch (error) {
      return down((error as Error).message);
    }
    const queues = await runner.consumption();
    const reasons = queues.filter(({ problem }) => problem).map(({ queue, problem }) => `queue ${queue}: ${problem}`);
    if (reasons.length > 0) return down(...reasons);
    const working = queues.map(({ queue }) => queue);
    const warnings = await this.find<UnservedSchedules>(UnservedSchedules)
      .reasons()
      .catch(() => []);
    return {
      [key]: {
        status: 'up',
        backend: backend.kind,
        working,
        watchdogRestarts,
        ...(warnings.length > 0 && { warnings }),
      },
    };
  }

  /** The workers' module is not global; wherever it is, there is one. */
  private find<T>(token: symbol | (abstract new (...args: never[]) => T)): T {
    return this.moduleRef.get<T>(token as symbol, { strict: false });
  }
}
