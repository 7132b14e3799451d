import type { JobStatus } from '../client/job-status.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import { OptionReader } from '../options/option-reader.js';

/** What a client wants to do with a job. @publicApi */
export type JobAction = 'read' | 'result' | 'list' | 'events' | 'tree' | 'cancel' | 'redrive';

/** Options of {@link JobsHttpModule.forRoot}. @publicApi */
export interface JobsHttpOptions {
  /**
   * Decides whether a request may do that with the job. Without it a job can be read by anyone who knows its id, and
   * nothing else is allowed; with it, it decides about everything. `'list'` is asked of each job that would be listed, and
   * those that it denies are left out. `'events'` is asked when a stream is opened, which goes on until the job has ended.
   * `'tree'` and `'cancel'` are asked of the job of the request, and mean those that it waits for as well. Nothing but
   * true allows.
   */
  authorize?: (request: unknown, job: JobStatus, action: JobAction) => boolean | Promise<boolean>;
  /**
   * What a request gets that it denies: 403, or 404 as if there were no such job.
   *
   * @default 404 for `read`, 403 for all else
   */
  denied?: 403 | 404;
}

/** @internal */
export const JOBS_HTTP_OPTIONS = Symbol.for('nestjs-jobs:http-options');

/** A name that is misspelt would leave jobs open. @throws {@link InvalidJobsOptionsError} @internal */
export function checkHttpOptions(options: JobsHttpOptions): JobsHttpOptions {
  const path = 'JobsHttpModule';
  const { authorize, denied } = new OptionReader(options, path, ['authorize', 'denied']).all();
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw new InvalidJobsOptionsError(`${path}.authorize`, 'a function', authorize);
  }
  if (denied !== undefined && denied !== 403 && denied !== 404) {
    throw new InvalidJobsOptionsError(`${path}.denied`, '403 or 404', denied);
  }
  return options;
}
