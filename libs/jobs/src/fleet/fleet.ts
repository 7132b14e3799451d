import { Injectable } from '@nestjs/common';
import { Census } from '../census/census.js';
import { TaskSettings } from '../task/task.settings.js';
import { JobExplainer } from './explain/job-explainer.js';
import { FleetAsker } from './fleet-asker.js';
import { FleetJobs } from './fleet-jobs.js';
import type {
  ActiveJob,
  ConcurrencyOptions,
  FleetJobsOptions,
  FleetProcess,
  FleetStats,
  PauseProcessOptions,
  PingOptions,
  Pong,
  ProcessOptions,
  RegisteredTask,
  ScheduledJob,
} from './fleet-types.js';
import { FleetProcesses } from './fleet-processes.js';
import type { JobExplanation } from './job-explanation.js';
import { QueueControl } from './queue-control.js';

/**
 * The live processes of the whole fleet, what they do, and the way to tell them to do otherwise. It is for the code of an
 * admin: nothing of it is reachable over HTTP by itself.
 *
 * What the store knows is exact: {@link FleetStats}, which jobs run, whether a queue is paused. What a process tells of
 * itself is as old as its last sign of life, at most ten seconds with the default lease. A process that was
 * killed is in it until its lease is over.
 *
 * @example
 * ```ts
 * import { JobsService } from 'nestjs-jobs';
 *
 * export async function beforeDeploy(jobs: JobsService, queue: string): Promise<void> {
 *   await jobs.fleet.pauseQueue(queue);
 *   for (const { host, pid, queues } of await jobs.fleet.processes()) {
 *     const active = queues.find((each) => each.queue === queue)?.active ?? 0;
 *     console.log(`${host}:${pid} still runs ${active} jobs of ${queue}.`);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
@Injectable()
export class Fleet {
  /** @internal */
  constructor(
    private readonly known: FleetProcesses,
    private readonly asker: FleetAsker,
    private readonly jobs: FleetJobs,
    private readonly control: QueueControl,
    private readonly census: Census,
    private readonly settings: TaskSettings,
    private readonly explainer: JobExplainer,
  ) {}

  /**
   * The live processes, also those that only enqueue, those that booted first before others. One that was killed is
   * among them until its lease is over. It costs one read.
   *
   * @throws {@link BackendUnavailableError}.
   */
  processes(): Promise<FleetProcess[]> {
    return this.known.list();
  }

  /**
   * The processes that answer. One that is known and not in it has its event loop blocked, has lost its connection, or
   * is dead. It waits until all that are known have answered.
   *
   * @throws {@link InvalidArgumentError}; {@link BackendUnavailableError}.
   */
  async ping(options: PingOptions = {}): Promise<Pong[]> {
    return this.asker.ping(options.timeout);
  }

  /**
   * The jobs that run, those that began first before others, with the process that runs each. That is who has the claim on
   * the job in the store, whether or not the process answers. When no live process has it, the job was left behind and
   * runs again when the claim has ended.
   *
   * @throws {@link InvalidJobsOptionsError} for a queue that is not declared; {@link InvalidArgumentError};
   * {@link BackendUnavailableError}.
   */
  active(options: FleetJobsOptions = {}): Promise<ActiveJob[]> {
    return this.jobs.active(options);
  }

  /**
   * The jobs whose time has not come, those that are due first before others. Parked jobs, which wait before a lock or a
   * limit, are not among them.
   *
   * @throws as {@link Fleet.active}.
   */
  scheduled(options: FleetJobsOptions = {}): Promise<ScheduledJob[]> {
    return this.jobs.scheduled(options);
  }

  /** The tasks whose code some live process has, by name. @throws {@link BackendUnavailableError}. */
  async registered(): Promise<RegisteredTask[]> {
    const processes = new Map<string, string[]>();
    for (const { id, tasks } of await this.known.list()) {
      for (const task of tasks) processes.set(task, [...(processes.get(task) ?? []), id]);
    }
    return [...processes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([task, ids]) => ({ task, processes: ids }));
  }

  /**
   * Counts of all declared queues, and the slots of all live processes. It is counted anew, so what this
   * process did before is in it; calls at the same time share a count.
   *
   * @throws {@link BackendUnavailableError}.
   */
  async stats(): Promise<FleetStats> {
    const [{ queues }, processes] = await Promise.all([this.census.read(0), this.known.list()]);
    const slots: Record<string, number> = {};
    for (const each of processes.flatMap(({ queues: worked, draining }) => (draining ? [] : worked))) {
      slots[each.queue] = (slots[each.queue] ?? 0) + each.concurrency;
    }
    const workers = processes.filter((process) => process.queues.length > 0).length;
    return { queues: [...queues], processes: processes.length, workers, slots };
  }

  /**
   * Why a job does not run: what is in the way first, what else is, and a sentence for people. Also of a job that runs or
   * has ended, of a canvas, and of a job in a queue that this process has not declared.
   *
   * It is what the store says at this moment: the job is read again when it moves on meanwhile. It takes a few round trips
   * however many jobs wait, and for a part of a canvas some for each part below that waits for another one.
   *
   * @throws {@link JobNotFoundError}; {@link BackendUnavailableError} within `connectTimeout`.
   * @example
   * ```ts
   * import { JobsService } from 'nestjs-jobs';
   *
   * export async function explain(jobs: JobsService, id: string): Promise<string> {
   *   const { reason, message } = await jobs.fleet.why(id);
   *   if (reason.kind === 'locked') return `${reason.holders[0]?.id ?? 'somebody'} holds ${reason.key}`;
   *   return message;
   * }
   * ```
   */
  why(jobId: string): Promise<JobExplanation> {
    return this.explainer.explain(jobId);
  }

  /**
   * Stops a queue in the whole fleet: no job of it begins until {@link Fleet.resumeQueue}, whatever is restarted. What
   * runs ends as always, and jobs can be enqueued.
   *
   * @throws {@link InvalidJobsOptionsError} for a queue that is not declared; {@link BackendUnavailableError}.
   */
  async pauseQueue(queue: string): Promise<void> {
    this.settings.assertDeclared(queue, 'queue');
    await this.control.pause(queue);
  }

  /** Lets the jobs of a queue begin again. One that is not paused stays as it is. @throws as {@link Fleet.pauseQueue}. */
  async resumeQueue(queue: string): Promise<void> {
    this.settings.assertDeclared(queue, 'queue');
    await this.control.resume(queue);
  }

  /**
   * Stops one process from beginning jobs, of one queue or of all: others work on. What it runs ends as always, and the
   * library's own work, for canvases and schedules, goes on. It lasts until {@link Fleet.resumeProcess} or the end of the
   * process.
   *
   * @param process - its {@link FleetProcess.id}, the beginning of it, or `host:pid`.
   * @returns the process as it is then: nothing begins any more.
   * @throws {@link ProcessNotFoundError}; {@link ProcessNotAnsweringError}; {@link ProcessRefusedError} when it does not
   * work the queue; {@link InvalidArgumentError} also for a beginning that several have; {@link BackendUnavailableError}.
   */
  pauseProcess(process: string, options: PauseProcessOptions = {}): Promise<FleetProcess> {
    return this.asker.tell(process, { what: 'pause', queue: options.queue }, options.timeout);
  }

  /** Lets a process begin jobs again. @throws as {@link Fleet.pauseProcess}. */
  resumeProcess(process: string, options: PauseProcessOptions = {}): Promise<FleetProcess> {
    return this.asker.tell(process, { what: 'resume', queue: options.queue }, options.timeout);
  }

  /**
   * How many jobs of a queue a process runs at the same time, from now until it ends; what a new process begins with is the
   * code's. Of what runs nothing is ended when it becomes fewer.
   *
   * @returns the processes as they are then; none when no live process works the queue.
   * @throws as {@link Fleet.pauseProcess}, with some of several processes changed perhaps, and
   * {@link InvalidJobsOptionsError} for a queue that is not declared.
   */
  async setConcurrency(queue: string, concurrency: number, options: ConcurrencyOptions = {}): Promise<FleetProcess[]> {
    this.settings.assertDeclared(queue, 'queue');
    return this.asker.setConcurrency(queue, concurrency, options);
  }

  /**
   * How many jobs of a queue the whole fleet runs at the same time at most, from now on and for good; undefined for as
   * many as it has slots. It holds until the code declares another `globalConcurrency` than it did before.
   *
   * @throws {@link InvalidJobsOptionsError} for a queue that is not declared; {@link InvalidArgumentError};
   * {@link BackendUnavailableError}.
   */
  async setGlobalConcurrency(queue: string, concurrency: number | undefined): Promise<void> {
    this.settings.assertDeclared(queue, 'queue');
    await this.control.setGlobalConcurrency(queue, concurrency);
  }

  /** What {@link Fleet.setGlobalConcurrency} or the code has set; undefined for no limit. @throws as that does. */
  async globalConcurrency(queue: string): Promise<number | undefined> {
    this.settings.assertDeclared(queue, 'queue');
    return this.control.globalConcurrency(queue);
  }

  /**
   * Has a process finish what it runs and begin nothing more, as {@link JobsRunner.drain}: after `shutdown.grace` its jobs
   * are asked to stop, and given back. The process goes on living, and answers; only a restart lets it work again.
   *
   * @returns the process when it begins nothing any more; {@link Fleet.processes} tells what it still runs.
   * @throws as {@link Fleet.pauseProcess}.
   */
  drain(process: string, options: ProcessOptions = {}): Promise<FleetProcess> {
    return this.asker.tell(process, { what: 'drain' }, options.timeout);
  }

  /**
   * Ends a process as SIGTERM does: it sends that to itself. With `app.enableShutdownHooks()`, or a listener of its own
   * that drains, its jobs end or are given back, and the app closes. Where nothing listens for SIGTERM, the process drains
   * first, and Node ends it then without closing the app. Where a listener only takes note of it, nothing ends. Of several apps
   * in the process all are meant.
   *
   * @returns the process when it has begun to end; it is gone from {@link Fleet.processes} soon after.
   * @throws as {@link Fleet.pauseProcess}.
   */
  shutDown(process: string, options: ProcessOptions = {}): Promise<FleetProcess> {
    return this.asker.tell(process, { what: 'shut-down' }, options.timeout);
  }
}
