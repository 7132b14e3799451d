import type { JobErrorInfo } from './job-status.js';
import type { NotJson } from './json-check.js';

/** A payload holds something that JSON cannot carry. Nothing was enqueued. @publicApi */
export class PayloadNotSerializableError extends Error {
  override readonly name = 'PayloadNotSerializableError';
  /** Where it stands in the payload, as in `$.items[2].when`; for `enqueueMany` as in `entries[3].payload.items[2].when`. */
  readonly path: string;

  constructor(task: string, { path, found }: NotJson) {
    super(
      `nestjs-jobs: the payload for task "${task}" must be JSON, but ${path} is ${found}. ` +
        'Pass plain objects, arrays, strings, finite numbers, booleans and null; a Date as its toISOString().',
    );
    this.path = path;
  }
}

/** A payload is larger than `payload.maxSize`. Nothing was enqueued. @publicApi */
export class PayloadTooLargeError extends Error {
  override readonly name = 'PayloadTooLargeError';

  constructor(task: string, size: number, maxSize: number, entry?: string) {
    super(
      `nestjs-jobs: the payload for task "${task}"${entry ? ` in ${entry}` : ''} is ${size} bytes of JSON; ` +
        `payload.maxSize allows ${maxSize}. Store the data elsewhere and pass a reference to it.`,
    );
  }
}

/**
 * `enqueue` or `enqueueMany` was called with an option, a list or a task that is not what it must be. Nothing was
 * enqueued.
 *
 * @publicApi
 */
export class InvalidEnqueueOptionsError extends Error {
  override readonly name = 'InvalidEnqueueOptionsError';
}

/**
 * There is a job with this key already, and `unique.onConflict` is `'reject'`; or a dead letter was to be redriven whose
 * key another job has by now. Nothing was enqueued.
 *
 * @publicApi
 */
export class DuplicateJobError extends Error {
  override readonly name = 'DuplicateJobError';

  constructor(
    readonly task: string,
    readonly key: string,
    /** The job that has the key. */
    readonly jobId: string,
  ) {
    super(
      `nestjs-jobs: there is a job of task "${task}" with the key ${JSON.stringify(key)} already, "${jobId}". ` +
        'Nothing was enqueued.',
    );
  }
}

/**
 * The module's `router` answered with something that is no place for a job: an undeclared queue, a priority that is none.
 * Nothing was enqueued.
 *
 * @publicApi
 */
export class InvalidRouteError extends Error {
  override readonly name = 'InvalidRouteError';

  /** @internal */
  constructor(router: string, task: string, problem: Error) {
    const complaint = problem.message.replace('nestjs-jobs: ', '').replace('option "(all)"', 'it');
    super(`nestjs-jobs: the router ${router} gave a wrong answer for the task ${task}: ${complaint}`, {
      cause: problem,
    });
  }
}

/** There is no job of this id, or it was finished so long ago that it is not kept any more. @publicApi */
export class JobNotFoundError extends Error {
  override readonly name = 'JobNotFoundError';

  constructor(readonly jobId: string) {
    super(`nestjs-jobs: there is no job "${jobId}", or it is not kept any more.`);
  }
}

/** The app has closed, and with it the connections of its jobs. Nothing was sent. @publicApi */
export class JobsClosedError extends Error {
  override readonly name = 'JobsClosedError';

  constructor() {
    super(
      'nestjs-jobs: this app has closed, so nothing is enqueued, read or cancelled any more. Await what needs jobs ' +
        'before app.close(); until onApplicationShutdown it may.',
    );
  }
}

/** The job whose result was asked for has failed for good. @publicApi */
export class JobFailedError extends Error {
  override readonly name = 'JobFailedError';

  constructor(
    readonly jobId: string,
    readonly task: string,
    /** What the last attempt threw. */
    readonly error: JobErrorInfo,
  ) {
    super(`nestjs-jobs: job "${jobId}" of task "${task}" failed: ${error.message}`);
  }
}

/** The job whose result was asked for was cancelled. @publicApi */
export class JobCancelledError extends Error {
  override readonly name = 'JobCancelledError';

  constructor(
    readonly jobId: string,
    readonly reason: string | undefined,
  ) {
    super(`nestjs-jobs: job "${jobId}" was cancelled${reason ? `: ${reason}` : ''}.`);
  }
}

/**
 * The job did not end within the time that its result was waited for, or a large result was not read from `results.store`
 * by then. The job goes on.
 *
 * @publicApi
 */
export class ResultTimeoutError extends Error {
  override readonly name = 'ResultTimeoutError';

  constructor(
    readonly jobId: string,
    timeout: number,
  ) {
    super(`nestjs-jobs: job "${jobId}" gave no result within ${timeout} ms. It goes on; ask again.`);
  }
}
