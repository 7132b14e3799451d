import type { StoredJob } from '../client/envelope.js';
import type { JobErrorInfo } from '../client/job-status.js';
import { deadLetterOf, type DeadLetter } from '../dead-letters/dead-letter.js';

/**
 * What an {@link OnFailure} handler is told: the job that failed for good, as its dead letter.
 *
 * @typeParam Payload - what it was enqueued with. Nothing has checked it: it may be the payload that failed.
 * @publicApi
 */
export interface JobFailure<Payload = unknown> extends DeadLetter {
  readonly payload: Payload;
  /** What its last attempt failed with, or what it ended with outside of one. */
  error: JobErrorInfo;
}

/** @internal */
export function failureOf(job: StoredJob): JobFailure {
  return deadLetterOf(job) as JobFailure;
}

/** As it will be when the job has ended with `report`. @internal */
export function failureAhead(job: StoredJob, report: Error): JobFailure {
  const ended: StoredJob = Object.create(job, {
    stacktrace: { value: [...(job.stacktrace ?? []), report.stack] },
    failedReason: { value: report.message },
    finishedOn: { value: Date.now() },
  });
  return failureOf(ended);
}
