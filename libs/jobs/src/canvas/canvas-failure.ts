import type { JobErrorInfo } from '../client/job-status.js';

/** What an errback of {@link Signature.linkError} gets. @publicApi */
export interface CanvasFailure {
  /** The job that failed first. */
  readonly jobId: string;
  /** Its task. */
  readonly task: string;
  readonly error: JobErrorInfo;
}
