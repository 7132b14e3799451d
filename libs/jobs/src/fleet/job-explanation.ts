import type { JobState } from '../client/job-status.js';

/**
 * Why a job does not run, from what is most in the way to what is least. `kind` says what; the rest is what a person
 * needs to act on it.
 *
 * @publicApi
 */
export type JobReason =
  /** It has ended, runs, or is the next that a free worker takes. */
  | { kind: 'ended'; state: JobState; at: string }
  | { kind: 'running'; attempt: number; since: string; process?: string; cancelRequested?: true }
  | { kind: 'next'; position?: number }
  /** It was cancelled; the next worker of its queue ends it. */
  | { kind: 'cancelled'; reason?: string }
  /** Its time has not come. */
  | { kind: 'scheduled'; until: string }
  | { kind: 'snoozed'; until: string }
  | { kind: 'retrying'; until: string; attempt: number; error?: { name: string; message: string } }
  /** Other parts of its canvas have not ended. */
  | { kind: 'children'; waiting: number; of: readonly string[] }
  /** No process has its task's code that works its queue; it fails at `until`. */
  | { kind: 'unknown-task'; task: string; until?: string }
  /** No live process works its queue. */
  | { kind: 'unserved-queue'; queue: string }
  | { kind: 'paused-queue'; queue: string }
  /** Each process that works its queue is paused or drains. */
  | { kind: 'paused-processes'; queue: string; processes: readonly string[] }
  | { kind: 'limited'; limit: string; key?: string; until?: string }
  /** `holders` are jobs, or code that holds the lock; `expiresAt` is when the first gives it up at the latest. */
  | { kind: 'locked'; key: string; holders: readonly { id: string; expiresAt: string }[]; ahead: number }
  | { kind: 'same-key'; key: string; holder?: string }
  /** All slots of its queue are taken: those of the live processes, or the queue's global concurrency. */
  | { kind: 'concurrency'; active: number; slots: number; scope: 'processes' | 'global'; position?: number };

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
  /** {@link JobExplanation.reason} as a sentence, with what can be done. */
  message: string;
}
