import type { JobErrorInfo, JobState } from '../client/job-status.js';

/** Another job that a job waits for, and why that one has not ended. @publicApi */
export interface AwaitedJob {
  id: string;
  task: string;
  queue: string;
  state: JobState;
  reason: JobReason;
}

/** Who holds a lock: a job, or code that runs under `withLock` or in an HTTP handler. @publicApi */
export interface LockHolder {
  id: string;
  kind: 'job' | 'code';
  /** When it gives the lock up at the latest, unless it renews it, as it does while it lives: ISO-8601 in UTC. */
  expiresAt: string;
}

/**
 * Why a job does not run, in the order of what stands in the way: as long as one of them holds, none of those below it
 * has any say. `kind` says what; the rest is what a person needs to act on it. Times are ISO-8601 in UTC.
 *
 * @publicApi
 */
export type JobReason =
  /** Nothing is in the way of it any more: it has ended, `at`. */
  | { kind: 'ended'; state: JobState; at: string; reason?: string; error?: Pick<JobErrorInfo, 'name' | 'message'> }
  /**
   * It runs. `process` is the {@link FleetProcess.id} of the one that has it; with `isLost` no live process does: it died,
   * and the job runs again when its claim has ended.
   */
  | { kind: 'running'; attempt: number; since: string; process?: string; isLost?: true; cancelRequested?: true }
  /** It was cancelled, and will not run; the next worker that gets to it ends it. */
  | { kind: 'cancelled'; reason?: string }
  /** Its `expiresIn` has passed, and it will not run; the next worker that gets to it ends it as cancelled. */
  | { kind: 'expired'; at: string }
  /** Other jobs have not ended, of its canvas or flow: so many, some of them by id, and what keeps the first of those. */
  | { kind: 'children'; waiting: number; of: readonly string[]; first?: AwaitedJob }
  /** Its time has not come. */
  | { kind: 'scheduled'; until: string }
  /** It has run, and asked with {@link Snooze} to run again later. */
  | { kind: 'snoozed'; until: string }
  /** The attempt with this number has failed; the next one waits for its time. */
  | { kind: 'retrying'; until: string; attempt: number; error?: Pick<JobErrorInfo, 'name' | 'message'> }
  /** No live process works its queue. */
  | { kind: 'unserved-queue'; queue: string }
  | { kind: 'paused-queue'; queue: string }
  /** Each of the live processes that work its queue is paused or drains; these are their {@link FleetProcess.id}s. */
  | { kind: 'paused-processes'; queue: string; processes: readonly string[] }
  /**
   * No live process that works its queue has its task's code. With `until` it is parked for that, and fails then; with
   * `isKnown` a process has come that has the code, and a worker looks at the job again within seconds.
   */
  | { kind: 'unknown-task'; task: string; until?: string; isKnown?: true }
  /**
   * A rate limit lets it begin at `until` only. `rate` is the limit as it counts now, `isChanged` when that was said at
   * run time, `pausedUntil` when it is paused. Of BullMQ's own limit of a queue, `limit` is `bullmq:<queue>`.
   */
  | {
      kind: 'limited';
      limit: string;
      key?: string;
      until?: string;
      rate?: string;
      isChanged?: true;
      pausedUntil?: string;
    }
  /**
   * Others hold its lock, and `ahead` stand in line before it. `held` of `places` are held, by `holders` (the first ten).
   * At `until` it looks again at the latest.
   */
  | {
      kind: 'locked';
      key: string;
      holders: readonly LockHolder[];
      held: number;
      places: number;
      ahead: number;
      until?: string;
    }
  /** A job with the same key of {@link Idempotent} runs, `holder`, and `ahead` wait before it. */
  | { kind: 'same-key'; key: string; holder?: string; ahead: number; until?: string }
  /**
   * All slots of its queue are taken: those of the live processes that work it, or as many as the queue may run in the
   * whole fleet. `position` jobs are before it.
   */
  | { kind: 'concurrency'; active: number; slots: number; scope: 'processes' | 'global'; position?: number }
  /** Nothing is in the way: a worker takes it when it has taken the `position` jobs before it. */
  | { kind: 'next'; position?: number };

/** The one answer to why a job is not running. @publicApi */
export interface JobExplanation {
  id: string;
  task: string;
  queue: string;
  state: JobState;
  /** What is in the way first. */
  reason: JobReason;
  /** What else is, in the order in which it would be next. */
  also: JobReason[];
  /** {@link JobExplanation.reason} in words, with what can be done. */
  message: string;
}
