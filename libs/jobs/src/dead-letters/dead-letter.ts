import type { StoredJob } from '../client/envelope.js';
import type { JobStatus } from '../client/job-status.js';
import { readStatus } from '../client/read-status.js';
import { lastStack } from '../retry/attempt-record.js';

/**
 * A job that ended `failed`: its status, with the error and every attempt, and what it was to do.
 *
 * @publicApi
 */
export interface DeadLetter extends JobStatus {
  /** What it was enqueued with; absent for a task without a payload. */
  readonly payload?: unknown;
  /**
   * The stack of its last error, at most 4,096 characters of it; absent when there is none. For operators: it tells of
   * files and code, so it is not enumerable. Neither `JSON.stringify` nor `{ ...letter }` shows it, and so neither does a
   * controller that returns the letter. Name it where it is wanted.
   */
  readonly stack?: string;
}

/** Of a job in BullMQ's failed set that was not cancelled. @internal */
export function deadLetterOf(job: StoredJob): DeadLetter {
  const letter = {
    ...readStatus(job, 'failed'),
    ...(job.data.p !== undefined && { payload: job.data.p }),
  };
  const stack = lastStack(job.stacktrace);
  return stack === undefined ? letter : Object.defineProperty(letter, 'stack', { value: stack });
}
