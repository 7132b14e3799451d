import type { JobErrorInfo } from '../client/job-status.js';

/** What is told of a job, whatever happened to it. */
interface Told<Name extends string> {
  /** What happened. */
  readonly event: Name;
  /** The job's id. */
  readonly id: string;
  /** Its task's name. */
  readonly task: string;
  readonly queue: string;
  readonly tags: readonly string[];
  /**
   * When it happened: ISO-8601 in UTC, by the clock of the process in which it did. With the scope `fleet`, of `stage`,
   * `progress` and `stalled`: when it was heard of.
   */
  readonly at: string;
}

/** What is told of an attempt. */
interface ToldOfAttempt<Name extends string> extends Told<Name> {
  /** From 1; in the end of a job that was never run, 0. */
  readonly attempt: number;
}

/** What is told when an attempt has ended. */
interface ToldOfEnd<Name extends string> extends ToldOfAttempt<Name> {
  /** How long (ms) the attempt ran; absent when it did not run, or nobody knows. */
  readonly duration?: number;
}

/** What can happen to a job, and what is told of it. @publicApi */
export interface JobEventMap {
  /** It is stored. */
  enqueued: Told<'enqueued'> & {
    /** When it may run, of one that waits for its time. */
    readonly scheduledFor?: string;
  };
  /** An attempt begins. */
  started: ToldOfAttempt<'started'>;
  /** The running attempt has said how far it is. */
  progress: ToldOfAttempt<'progress'> & { readonly progress: unknown };
  /** The running attempt has named a stage. */
  stage: ToldOfAttempt<'stage'> & { readonly stage: { readonly name: string; readonly meta?: unknown } };
  /** It has ended well. */
  succeeded: ToldOfEnd<'succeeded'> & {
    /** The job whose result it has, see {@link Idempotent}. */
    readonly deduplicatedBy?: string;
  };
  /** It has ended well, by {@link Skip}. */
  skipped: ToldOfEnd<'skipped'> & { readonly reason: string };
  /** An attempt failed, and another one follows. */
  retrying: ToldOfEnd<'retrying'> & { readonly error: JobErrorInfo; readonly retryAt: string };
  /** It has failed for good. */
  failed: ToldOfEnd<'failed'> & {
    readonly error: JobErrorInfo;
    /** Of a part of a canvas that failed only because another part did: that other one. */
    readonly failedJob?: string;
  };
  /** It has ended as cancelled, or because it expired. */
  cancelled: ToldOfEnd<'cancelled'> & {
    readonly reason?: string;
    /** Of one that ran: what it ended with when it was asked to stop. */
    readonly error?: JobErrorInfo;
  };
  /** It asked to run again later, by {@link Snooze}. */
  snoozed: ToldOfAttempt<'snoozed'> & { readonly until: string };
  /** An attempt was left behind by a process that died or froze. */
  stalled: ToldOfAttempt<'stalled'>;
}

/** What {@link OnJobEvent} can be told of. @publicApi */
export type JobEventName = keyof JobEventMap;

/**
 * What an {@link OnJobEvent} method gets: one of these events, told apart by `event`.
 *
 * @example
 * ```ts
 * import type { JobEvent } from 'nestjs-jobs';
 *
 * export function lineOf(event: JobEvent<'succeeded' | 'failed'>): string {
 *   const end = event.event === 'failed' ? event.error.message : 'done';
 *   return `${event.task} ${event.id}: ${end}`;
 * }
 * ```
 *
 * @publicApi
 */
export type JobEvent<Name extends JobEventName = JobEventName> = JobEventMap[Name];

/** All of them; a name that is forgotten here does not compile. @internal */
export const JOB_EVENT_NAMES = Object.keys({
  enqueued: 0,
  started: 0,
  progress: 0,
  stage: 0,
  succeeded: 0,
  skipped: 0,
  retrying: 0,
  failed: 0,
  cancelled: 0,
  snoozed: 0,
  stalled: 0,
} satisfies Record<JobEventName, 0>) as readonly JobEventName[];
