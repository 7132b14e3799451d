import type { ResultReference } from '../results/result-reference.js';

/**
 * Where a job stands. `scheduled`: its time has not come, at first or again; `pending`: it may run; `blocked`: it waits
 * for other parts of its canvas; `running`; `retrying`: it waits for its next attempt; the last three never
 * change again.
 *
 * @publicApi
 */
export type JobState =
  'scheduled' | 'pending' | 'blocked' | 'running' | 'retrying' | 'succeeded' | 'failed' | 'cancelled';

/** What a job or an attempt failed with. Never a stack. @publicApi */
export interface JobErrorInfo {
  name: string;
  message: string;
  /** The error's own `code`, when it has one. */
  code?: string;
  /** What the error's own `cause` was, when it has one; at most three of them, one in the other. */
  cause?: JobErrorInfo;
}

/** One run of a job. @publicApi */
export interface JobAttempt {
  /** From 1. */
  attempt: number;
  /** Null only of one that was left behind (`stalled`), when the next one has begun: it overwrites the time. */
  startedAt: string | null;
  /** Null while it runs, and for ever when it was left behind. */
  endedAt: string | null;
  error?: JobErrorInfo;
  /** It was left behind: its process died or froze, so nobody knows when it ended. */
  stalled?: boolean;
  /**
   * Its code still ran when the attempt was ended by its hard time limit, and may run on beside the attempts after it.
   * What it does for its job is refused.
   */
  leftRunning?: boolean;
}

/**
 * Everything that can be said of a job; the same object from `handle.status()` and over HTTP. Times are ISO-8601 in
 * UTC.
 *
 * @publicApi
 */
export interface JobStatus {
  id: string;
  task: string;
  queue: string;
  state: JobState;
  /**
   * How many jobs of its queue are before one that is `pending` and waits for nothing but its turn: 0 when it is the next.
   * Told where one job is asked for, by {@link JobHandle.status} and `GET /jobs/:id`, and not where several are; not told
   * when there are more than 5,000, but for prioritized jobs on Redis. It may grow: what is more urgent goes before it.
   */
  position?: number;
  /** Why it was cancelled or skipped, when a reason was given. */
  reason?: string;
  /** It ran when it was cancelled, and has been asked to stop. Until it has ended, nobody knows how it will. */
  cancelRequested?: true;
  /** The last stage that the running or last attempt named, and what it said of it. */
  stage?: { name: string; meta?: unknown };
  /** What the running or last attempt reported: a percentage or an object. */
  progress?: unknown;
  /** The running or last attempt, from 1; 0 before the first. */
  attempt: number;
  maxAttempts: number;
  /** Every attempt, oldest first; but for runs that ended with {@link Snooze}, which are none. */
  attempts: JobAttempt[];
  createdAt: string;
  /** When it is or was due: for a delayed job, one that snoozed, and one that waits for its next attempt. */
  scheduledFor?: string;
  /** Start of the running or last attempt; absent while there is none, or when it is not known. */
  startedAt?: string;
  finishedAt?: string;
  /** What it returned, as JSON; absent when that is kept in `results.store`. */
  result?: unknown;
  /** Where its result is kept, when it is too large for the queue, or no JSON: `GET /jobs/:id/result` reads it. */
  resultRef?: ResultReference;
  /** The job whose result this one has: it had the same key of {@link Idempotent}, and this one was not run. */
  deduplicatedBy?: string;
  error?: JobErrorInfo;
  /** Of a part of a canvas that failed only because another part did, and was not run: that other one. */
  failedJob?: string;
  /**
   * Why a pending job is not run although it is its turn: `unknown-task`, no worker that saw it has its task; `lock`,
   * others hold what it needs; `idempotency`, one with its key runs; `limit`, it would be too many. It takes no worker's
   * slot meanwhile.
   */
  waitingFor?: {
    kind: 'unknown-task' | 'lock' | 'idempotency' | 'limit';
    /** Of the lock, of `@Idempotent`, or of the limit. */
    key?: string;
    /** When it looks again at the latest; of an unknown task, when it fails. */
    until?: string;
  };
  /** The job that it was enqueued from, directly or over others; absent when there is none. */
  rootId?: string;
  /** Of a part of a canvas: the job that waits for this one. */
  parentId?: string;
  /** Of a job of an {@link OnFailure} handler: the job that failed. */
  failureOf?: string;
  /** The failed job that it does again, see {@link DeadLetters.redrive}. */
  redriveOf?: string;
  /** The job that does this failed one again. */
  redrivenAs?: string;
  tags: string[];
  /** Whether `state` is final. */
  terminal: boolean;
}
