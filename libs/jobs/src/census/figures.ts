/**
 * How many jobs of a queue stand where, in the whole fleet, when it was counted last. Jobs that have ended are not
 * counted, but for dead letters.
 *
 * @publicApi
 */
export interface QueueFigures {
  queue: string;
  /** Could begin now, if a worker were free. */
  waiting: number;
  /** Wait for a time: scheduled, between two attempts, snoozed, or parked before a lock or a limit. */
  delayed: number;
  /** Wait for other parts of their canvas. */
  blocked: number;
  running: number;
  /**
   * When (ms since the epoch) the job became ready that has waited longest for a worker; absent when none waits. Of
   * one that was put back into the queue it is when it was made, or when its first time had come.
   */
  oldestWaitingSince?: number;
  /** Jobs that failed for good and can be redriven; counted up to {@link MOST_DEAD_LETTERS}. */
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
  /** Jobs that stand in a line before a lock or a semaphore. */
  readonly locksWaiting: number;
}
