import type { JobErrorInfo } from '../client/job-status.js';

/**
 * What an errback of {@link Signature.linkError} gets: which job failed first, and with what.
 *
 * The idea is what Celery calls errbacks with: request, exception and traceback.
 *
 * @publicApi
 */
export interface CanvasFailure {
  /** The id of the job that failed by itself; others may have failed along with it. */
  readonly jobId: string;
  /** The name of its task. */
  readonly task: string;
  /** What its last attempt threw. Never a stack. */
  readonly error: JobErrorInfo;
}
