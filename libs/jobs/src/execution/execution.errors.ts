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

/**
 * A result is larger than `results.inlineLimit` and there is no `results.store`, or larger than `results.maxSize`. Not tried
 * again.
 *
 * @publicApi
 */
export class ResultTooLargeError extends NonRetryableError {
  override readonly name = 'ResultTooLargeError';

  constructor(
    task: string,
    /** Bytes; of a stream, those that were read before it was given up. */
    readonly size: number,
    /** Bytes. */
    readonly limit: number,
    option: 'results.inlineLimit' | 'results.maxSize' = 'results.inlineLimit',
  ) {
    const isInline = option === 'results.inlineLimit';
    super(
      `nestjs-jobs: the result of task "${task}" is ${size} bytes${isInline ? ' of JSON' : ' or more'}; ${option} allows ` +
        `${limit}. ${isInline ? 'Set results.store, store' : 'Store'} the data elsewhere and return a reference to it, or ` +
        'enqueue with keepResult: false when nobody reads it.',
    );
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

/**
 * A task waited for the result of another job. It would hold its slot meanwhile, and when all slots wait for jobs that
 * need a slot, nothing runs any more. Not tried again.
 *
 * @publicApi
 */
export class BlockingResultError extends NonRetryableError {
  override readonly name = 'BlockingResultError';

  constructor(
    /** The job that the call was made in. */
    readonly jobId: string,
    /** The job whose result was asked for. */
    readonly awaitedJobId: string,
  ) {
    super(
      `nestjs-jobs: job "${jobId}" must not wait for the result of job "${awaitedJobId}": a task that waits holds a slot ` +
        'that the other job may need. Look at (await handle.status()).state and throw new Snooze(...) until it has ended, ' +
        'or let the other job enqueue what comes next.',
    );
  }
}

/**
 * Something was said or enqueued for an attempt that has ended: its method had returned, it had run over its hard time
 * limit, or the process had lost its claim on the job, which then runs elsewhere. Nothing was stored.
 *
 * @publicApi
 */
export class AttemptEndedError extends Error {
  override readonly name = 'AttemptEndedError';

  constructor(
    readonly jobId: string,
    readonly attempt: number,
    method: string,
  ) {
    super(
      `nestjs-jobs: ${method}() was called after attempt ${attempt} of job "${jobId}" had ended. ` +
        'Await whatever a task starts before it returns, and stop when job.signal is aborted.',
    );
  }
}

/**
 * Why `job.signal` was aborted: the attempt has taken as long as its soft time limit. What a task throws then, most often
 * this, is tried again by the retry policy like any other error.
 *
 * @publicApi
 */
export class SoftTimeLimitError extends IntrinsicException {
  override readonly name = 'SoftTimeLimitError';

  constructor(
    readonly jobId: string,
    /** Milliseconds. */
    readonly limit: number,
  ) {
    super(`nestjs-jobs: job "${jobId}" has run for ${limit} ms, its soft time limit, and is asked to stop.`);
  }
}

/**
 * An attempt took as long as its hard time limit and was ended. Tried again by the retry policy like any other error.
 *
 * @publicApi
 */
export class HardTimeLimitError extends IntrinsicException {
  override readonly name = 'HardTimeLimitError';

  constructor(
    readonly jobId: string,
    /** Milliseconds. */
    readonly limit: number,
  ) {
    super(
      `nestjs-jobs: job "${jobId}" had not ended after ${limit} ms, its hard time limit. Its code may still run: hand ` +
        'job.signal to what it waits for, so that it stops at the soft limit, or raise timeLimit.',
    );
  }
}

/**
 * Why `job.signal` was aborted: this process was frozen or cut off from the store for longer than its `lease`, and lost
 * its claim on the job, which runs again elsewhere.
 *
 * @publicApi
 */
export class ClaimLostError extends IntrinsicException {
  override readonly name = 'ClaimLostError';

  constructor(readonly jobId: string) {
    super(`nestjs-jobs: this process has lost its claim on job "${jobId}", which runs again elsewhere.`);
  }
}

/**
 * Why `job.signal` was aborted: the process shuts down, and the job has not ended within `shutdown.grace`. Another
 * process runs it again, and no attempt is spent.
 *
 * @publicApi
 */
export class JobsShutdownError extends IntrinsicException {
  override readonly name = 'JobsShutdownError';

  constructor(jobId: string) {
    super(`nestjs-jobs: this process shuts down before job "${jobId}" has ended; another one runs it again.`);
  }
}
