import type { QueueFigures } from '../census/figures.js';
import type { Duration } from '../options/jobs-options.js';

/** A queue as one process works it. @publicApi */
export interface ProcessQueue {
  queue: string;
  /** Jobs of it that the process runs at the same time at most. */
  concurrency: number;
  /** Jobs of it that the process runs now. */
  active: number;
  /** {@link Fleet.pauseProcess} has stopped it, in this process. */
  paused: boolean;
}

/**
 * A live process of the fleet, as it was at its last sign of life. One whose version of this library knew less of it
 * has empty texts, lists and zeros for that.
 *
 * @publicApi
 */
export interface FleetProcess {
  /** Made anew with each start of an app. */
  id: string;
  host: string;
  pid: number;
  /** Of nestjs-jobs. */
  version: string;
  node: string;
  /** When its app had booted: ISO-8601 in UTC. */
  startedAt: string;
  /** Its last sign of life: ISO-8601 in UTC. */
  seenAt: string;
  /** Those that it works; none in a process that only enqueues. */
  queues: ProcessQueue[];
  /** Names of the tasks whose code it has. */
  tasks: string[];
  /** Bytes of resident memory. */
  memory: number;
  /** How late (ms) its event loop was at worst since the sign of life before. */
  eventLoopLag: number;
  /** It finishes what it runs and begins nothing. */
  draining: boolean;
}

/** What one process answered. @publicApi */
export interface Pong {
  process: string;
  host: string;
  pid: number;
  /** Milliseconds until its answer was here. */
  took: number;
}

/** A job that some process runs now. @publicApi */
export interface ActiveJob {
  id: string;
  task: string;
  queue: string;
  attempt: number;
  /** ISO-8601 in UTC. */
  startedAt: string;
  /** {@link FleetProcess.id} of the one that runs it; absent when no live process says that it does. */
  process?: string;
}

/** A job whose time has not come. @publicApi */
export interface ScheduledJob {
  id: string;
  task: string;
  queue: string;
  /** `retrying`: an attempt failed, and this is when the next one may begin. */
  state: 'scheduled' | 'retrying';
  /** When it may run: ISO-8601 in UTC. */
  dueAt: string;
}

/** Which jobs {@link Fleet.active} and {@link Fleet.scheduled} tell. @publicApi */
export interface FleetJobsOptions {
  /** Only those of this queue. @default all declared ones */
  queue?: string;
  /** At most so many. @default 100 */
  limit?: number;
}

/** @publicApi */
export interface PingOptions {
  /** How long it waits for those that do not answer. @default '2s' */
  timeout?: Duration;
}

/** @publicApi */
export interface ProcessOptions {
  /** How long it waits for the process to have done it. @default '5s' */
  timeout?: Duration;
}

/** @publicApi */
export interface PauseProcessOptions extends ProcessOptions {
  /** Only this queue. @default all that the process works */
  queue?: string;
}

/** @publicApi */
export interface ConcurrencyOptions extends ProcessOptions {
  /** Only this process, by {@link FleetProcess.id}, its beginning, or `host:pid`. @default all that work the queue */
  process?: string;
}

/** A task, and which processes have it. @publicApi */
export interface RegisteredTask {
  task: string;
  /** {@link FleetProcess.id} of the live processes that have its code, also of those that work no queue. */
  processes: string[];
}

/** @publicApi */
export interface FleetStats {
  queues: QueueFigures[];
  /** Live processes. */
  processes: number;
  /** Those of them that work a queue. */
  workers: number;
  /** Slots of all live processes that do not drain together, by queue; also those of paused ones. */
  slots: Record<string, number>;
}
