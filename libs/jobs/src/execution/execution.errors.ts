import { IntrinsicException } from '@nestjs/common';
import type { NotJson } from '../client/json-check.js';

/**
 * Thrown by a task, ends its job as failed at once, whatever the retry policy says. It is expected to be somebody's
 * input and not a defect, so Nest logs no stack of it.
 *
 * The idea is Temporal's `ApplicationFailure.nonRetryable`.
 *
 * @example
 * ```ts
 * import { NonRetryableError } from 'nestjs-jobs';
 *
 * throw new NonRetryableError('The file is empty: upload one with at least one row.', { code: 'FILE_EMPTY' });
 * ```
 *
 * @publicApi
 */
export class NonRetryableError extends IntrinsicException {
  override readonly name: string = 'NonRetryableError';
  /** Shown as `error.code` in the job's status. */
  readonly code?: string;

  constructor(message: string, options: ErrorOptions & { code?: string } = {}) {
    super(message, options);
    if (options.code !== undefined) this.code = options.code;
  }
}

/** A task returned something that JSON cannot carry. Not tried again. @publicApi */
export class ResultNotSerializableError extends NonRetryableError {
  override readonly name = 'ResultNotSerializableError';
  /** Where it stands in the result, as in `$.rows[2].when`. */
  readonly path: string;

  constructor(task: string, { path, found }: NotJson) {
    super(
      `nestjs-jobs: the result of task "${task}" must be JSON, but ${path} is ${found}. ` +
        'Return plain objects, arrays, strings, finite numbers, booleans and null; a Date as its toISOString().',
    );
    this.path = path;
  }
}

/** No worker of the queue knew the job's task for as long as `unknownTaskGrace`. @publicApi */
export class UnknownTaskError extends NonRetryableError {
  override readonly name = 'UnknownTaskError';

  constructor(task: string, queue: string) {
    super(
      `nestjs-jobs: no worker of queue "${queue}" knows the task "${task}". ` +
        'Deploy a worker that provides its class, or keep the old name with @Task({ name }).',
    );
  }
}

/** The processes that ran the job died as often as it has attempts. @publicApi */
export class JobStalledError extends NonRetryableError {
  override readonly name = 'JobStalledError';

  constructor(times: number) {
    super(`stalled: ${times} processes that ran this job died or froze, as many as it may have attempts left.`);
  }
}
