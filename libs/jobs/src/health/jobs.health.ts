import { Inject, Injectable, Optional, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
// Types only: a package that a subpath imports must be installed for the subpath to load at all.
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { Census } from '../census/census.js';
import { JobsClient } from '../client/jobs-client.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { ScheduleRecords } from '../schedule/schedule-records.js';
import { UnservedSchedules } from '../schedule/unserved-schedules.js';
import { JobsRunner } from '../worker/jobs.runner.js';
import { Watchdog } from '../worker/watchdog.js';
import { WorkerPresence } from '../worker/worker-presence.js';
import { problemsOfFigures } from './figure-problems.js';
import { HEALTH_OPTIONS } from './jobs-health.module-definition.js';
import { resolveHealthOptions, type JobsHealthOptions, type ResolvedHealthOptions } from './jobs-health.options.js';
import type { JobsHealthProblem } from './jobs-health.problem.js';
import { lateSchedule } from './late-schedule.js';

type Status = 'up' | 'degraded' | 'down';

/** What a process says that is asked whether it works. */
interface Look {
  readonly problems: readonly JobsHealthProblem[];
  /** The queues whose workers get their jobs. */
  readonly working: readonly string[];
}

/**
 * Tells Terminus whether background jobs work. Each way to ask is for somebody else:
 *
 * - {@link JobsHealthIndicator.isLive}, for whoever would restart the process;
 * - {@link JobsHealthIndicator.isReady}, for whoever would send it requests or count on it during a deploy;
 * - {@link JobsHealthIndicator.isHealthy}, the whole picture, for people and alerts.
 *
 * What is wrong is in `reasons`, for people, and in `problems`, for scripts; in `warnings`, what does not count.
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
 *
 *   @Get('live')
 *   @HealthCheck()
 *   live(): Promise<HealthCheckResult> {
 *     return this.health.check([() => this.jobs.isLive('jobs')]);
 *   }
 *
 *   @Get('ready')
 *   @HealthCheck()
 *   ready(): Promise<HealthCheckResult> {
 *     return this.health.check([() => this.jobs.isReady('jobs')]);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
@Injectable()
export class JobsHealthIndicator implements OnModuleInit {
  /** Undefined when the module was imported as it is. */
  private options: ResolvedHealthOptions | undefined;

  /** @internal */
  constructor(
    private readonly moduleRef: ModuleRef,
    @Optional() @Inject(HEALTH_OPTIONS) private readonly given: JobsHealthOptions | undefined,
  ) {}

  async onModuleInit(): Promise<void> {
    if (this.given === undefined) return;
    const { queues, connectTimeout } = this.find<ResolvedJobsOptions>(RESOLVED_OPTIONS);
    try {
      this.options = resolveHealthOptions(this.given, queues);
    } catch (error) {
      // Nest runs no shutdown hooks after a boot that failed, and connections would keep the process.
      await this.find<QueueBackend>(QUEUE_BACKEND).close(connectTimeout);
      throw error;
    }
  }

  /**
   * The whole picture. Down from the moment the shutdown begins, when the backend does not answer within
   * `connectTimeout`, when a worker does not consume, and where a threshold says so. Degraded where a threshold says so,
   * and when something waits that no live process would run.
   *
   * `watchdogRestarts` says how often this process had to rebuild connections whose workers had become deaf.
   */
  async isHealthy(key = 'jobs'): Promise<HealthIndicatorResult> {
    const { problems, working } = await this.look();
    // Who only asks for jobs, or shuts down, need not say how the fleet is.
    const isAway = problems.some(({ kind }) => kind === 'draining' || kind === 'backend');
    const ofFleet = isAway ? [] : await this.lookAtFleet();
    return this.result(key, [...problems, ...ofFleet], working, this.options?.degradedAs ?? 'up');
  }

  /**
   * Whether this process can do its work: the backend answers, its workers consume, and it does not shut down. No
   * threshold changes that: a backlog does not shrink when those who work at it are taken out of service.
   */
  async isReady(key = 'jobs'): Promise<HealthIndicatorResult> {
    const { problems, working } = await this.look();
    return this.result(key, problems, working, 'up');
  }

  /**
   * Whether a restart of this process would not help. Down only when a worker of it has ended by itself; never because of
   * the backend, of queues, or of a shutdown. That a process does not answer at all, whoever asks finds out.
   */
  async isLive(key = 'jobs'): Promise<HealthIndicatorResult> {
    const runner = this.find<JobsRunner>(JobsRunner);
    const queues = runner.isDraining ? [] : await runner.consumption();
    const problems = queues.filter(({ stopped }) => stopped).map(({ queue, problem }) => notConsuming(queue, problem!));
    return { [key]: { status: problems.length > 0 ? 'down' : 'up', ...told(problems, 'down') } };
  }

  /** At this process. */
  private async look(): Promise<Look> {
    const runner = this.find<JobsRunner>(JobsRunner);
    if (runner.isDraining) {
      const message = 'this process is shutting down';
      return { problems: [{ kind: 'draining', status: 'down', message }], working: [] };
    }
    try {
      const { connectTimeout } = this.find<ResolvedJobsOptions>(RESOLVED_OPTIONS);
      await this.find<QueueBackend>(QUEUE_BACKEND).ping(connectTimeout);
    } catch (error) {
      return { problems: [awayBecause(error)], working: [] };
    }
    const queues = await runner.consumption();
    const problems = queues.flatMap(({ queue, problem }) => (problem ? [notConsuming(queue, problem)] : []));
    return { problems, working: queues.filter(({ problem }) => !problem).map(({ queue }) => queue) };
  }

  private async lookAtFleet(): Promise<JobsHealthProblem[]> {
    const unserved = this.unservedSchedules();
    if (!this.options) return unserved;
    const { scheduleLag, thresholdsOf, refresh } = this.options;
    try {
      const [figures, served, late] = await Promise.all([
        this.find<Census>(Census).read(refresh),
        this.reach(() => this.find<WorkerPresence>(WorkerPresence).servedQueues()),
        lateSchedule(this.find<ScheduleRecords>(ScheduleRecords), scheduleLag),
      ]);
      return [...problemsOfFigures(figures, served, thresholdsOf), ...late, ...(await unserved)];
    } catch (error) {
      return [awayBecause(error), ...(await unserved)];
    }
  }

  /** What is known of them changes slowly: without an answer, the others are told all the same. Never rejects. */
  private async unservedSchedules(): Promise<JobsHealthProblem[]> {
    const unserved = await this.reach(() => this.find<UnservedSchedules>(UnservedSchedules).reasons()).catch(() => []);
    return unserved.map(({ name, task, queue, count, message }) => {
      return { kind: 'unserved-schedule', status: 'degraded', message, queue, task, schedule: name, value: count };
    });
  }

  /** A store that answered just now may fall silent. */
  private reach<T>(read: () => Promise<T>): Promise<T> {
    return this.find<JobsClient>(JobsClient).reach(read);
  }

  private result(
    key: string,
    problems: readonly JobsHealthProblem[],
    working: readonly string[],
    degradedAs: Status,
  ): HealthIndicatorResult {
    const isDown = problems.some(({ status }) => status === 'down');
    const status: Status = isDown ? 'down' : problems.length > 0 ? degradedAs : 'up';
    return {
      [key]: {
        status,
        backend: this.find<QueueBackend>(QUEUE_BACKEND).kind,
        ...(status !== 'down' && { working }),
        ...told(problems, isDown ? 'down' : status === 'up' ? undefined : 'degraded'),
        watchdogRestarts: this.find<Watchdog>(Watchdog).restarts,
      },
    };
  }

  /** The workers' module is not global; wherever it is, there is one. */
  private find<T>(token: symbol | (abstract new (...args: never[]) => T)): T {
    return this.moduleRef.get<T>(token as symbol, { strict: false });
  }
}

/** The problems that make the status what it is, and apart from them those that do not. */
function told(problems: readonly JobsHealthProblem[], decisive: 'degraded' | 'down' | undefined): object {
  const reasons = problems.filter(({ status }) => status === decisive).map(({ message }) => message);
  const warnings = problems.filter(({ status }) => status !== decisive).map(({ message }) => message);
  return {
    ...(reasons.length > 0 && { reasons }),
    ...(warnings.length > 0 && { warnings }),
    ...(problems.length > 0 && { problems }),
  };
}

function notConsuming(queue: string, problem: string): JobsHealthProblem {
  return { kind: 'not-consuming', status: 'down', message: `queue ${queue}: ${problem}`, queue };
}

function awayBecause(error: unknown): JobsHealthProblem {
  return { kind: 'backend', status: 'down', message: (error as Error).message };
}
