import type { StoredJob } from '../client/envelope.js';

/** How a job can end. @internal */
export const JOB_ENDS = ['succeeded', 'skipped', 'failed', 'cancelled', 'expired'] as const;

/** `expired`: cancelled without having run, because it was too late. @internal */
export type JobEnd = (typeof JOB_ENDS)[number];

/**
 * Counts what `local` listeners can be told, all of it: nothing is queued for it, and nothing dropped. It is called in the
 * middle of a job, so it must be quick, and must not throw. Durations are milliseconds.
 *
 * @internal
 */
export interface JobObserver {
  /**
   * An attempt begins.
   *
   * @param waited - from when the job could first run; undefined when it has begun before, or waited for other jobs.
   */
  began(job: StoredJob, waited: number | undefined): void;
  /**
   * The end of the job is stored.
   *
   * @param duration - of the attempt; undefined when none ran.
   * @param error - the name of what it failed with.
   */
  ended(job: StoredJob, end: JobEnd, duration: number | undefined, error?: string): void;
  /** It is stored that an attempt failed and another one follows. */
  retrying(job: StoredJob, duration: number | undefined): void;
  snoozed(job: StoredJob): void;
  /** A rate limit has put the attempt off. */
  limited(job: StoredJob): void;
  /** An attempt was left behind by a process that died or froze. */
  stalled(job: StoredJob): void;
}
