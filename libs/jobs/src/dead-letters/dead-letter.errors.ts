import type { JobState } from '../client/job-status.js';

const LONGEST_SHOWN = 200;

/** There is no dead letter of this id. Nothing was done. @publicApi */
export class DeadLetterNotFoundError extends Error {
  override readonly name = 'DeadLetterNotFoundError';

  constructor(
    readonly jobId: string,
    /** The state of the job that has this id; undefined when there is none, or it is not kept any more. */
    readonly state?: JobState,
  ) {
    const shown = JSON.stringify(String(jobId).slice(0, LONGEST_SHOWN));
    super(
      state === undefined
        ? `nestjs-jobs: a dead letter is named by the id of a job that failed, but there is no job ${shown}, or it is not ` +
            'kept any more. deadLetters.list() has those that are there.'
        : `nestjs-jobs: a dead letter is a job that ended "failed", but job ${shown} is "${state}". ` +
            'deadLetters.list() has those that are there.',
    );
  }
}

/**
 * A job of the library's own failed, which a canvas has beside those of its tasks: done again alone it would be of no use.
 * Start the canvas again. Nothing was done.
 *
 * @publicApi
 */
export class NotRedrivableError extends Error {
  override readonly name = 'NotRedrivableError';

  constructor(readonly jobId: string) {
    super(`nestjs-jobs: job ${jobId} holds a canvas together, and cannot be done again alone. Start the canvas again.`);
  }
}

/** A method of {@link DeadLetters} was given a filter, a limit or a cursor that it does not take. Nothing was done. @publicApi */
export class InvalidDeadLetterFilterError extends TypeError {
  override readonly name = 'InvalidDeadLetterFilterError';
}
