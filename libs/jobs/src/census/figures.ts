/**
 * How many jobs of a queue stand where, in the whole fleet, when it was counted last. Jobs that have ended are not
 * counted, but for dead letters.
 *
 * @publicApi
 */
export interface QueueFigures {
  queue: string;
  /** Could begin now, if a worker were free; those whose time has come are among them. */
  waiting: number;
  /** Wait for a time: scheduled, between two attempts, snoozed, or parked before a lock or a limit. */
  delayed: number;
  /** Wait for other parts of their canvas. */
  blocked: number;
  running: number;
  /**
   * When (ms since the epoch) the job became ready that has waited longest for a worker; absent when none waits. Of
   * one that is back in the queue it is when a worker had it last.
   */
  oldestWaitingSince?: number;
  /**
   * Jobs that failed for good, those that were redriven too; as `jobs.deadLetters.count`, and counted up to
   * {@link MOST_DEAD_LETTERS}.
   */
  deadLetters: number;
  /** {@link Fleet.pauseQueue} has stopped it. */
  paused: boolean;
}

/** Of one queue, more are not counted: each has to be looked at. @publicApi */
export const MOST_DEAD_LETTERS = 10_000;

/** What was counted in the whole store. @internal */
export interface Figures {
  /** When (ms since the epoch), by the clock of the process that counted. */
  readonly at: number;
  /** One for each queue that was asked for, in that order. */
  readonly queues: readonly QueueFigures[];
  /** Who stands in a line before a lock or a semaphore: jobs, and code in `jobs.locks.withLock`. */
  readonly locksWaiting: number;
}
