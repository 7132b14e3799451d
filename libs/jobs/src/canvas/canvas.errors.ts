import { NonRetryableError } from '../execution/execution.errors.js';

/**
 * A canvas, or a part of one, is not what it must be: thrown where it is put together, or by {@link JobsService.start} and
 * `job.replaceWith`. Nothing was enqueued.
 *
 * @publicApi
 */
export class InvalidCanvasError extends TypeError {
  override readonly name = 'InvalidCanvasError';

  /** @internal */
  constructor(
    /** Where the part stands, as in `the canvas.steps[1].members[0]`. */
    readonly place: string,
    expected: string,
  ) {
    super(`nestjs-jobs: ${place} must be ${expected}.`);
  }
}

/**
 * A canvas is larger than can be stored together: a chain of more than 20,000 steps, or more than 8 MB of JSON that one job
 * is to add later. Nothing was enqueued.
 *
 * @publicApi
 */
export class CanvasTooLargeError extends Error {
  override readonly name = 'CanvasTooLargeError';

  /** @internal */
  constructor(problem: string, advice: string) {
    super(`nestjs-jobs: the canvas ${problem}. ${advice}`);
  }
}

/**
 * The result of the step before does not fit the payload that it was to become, or to be put into: it is no object to be
 * merged. A part of a canvas fails with it, and is not tried again.
 *
 * @publicApi
 */
export class CanvasPayloadError extends NonRetryableError {
  override readonly name = 'CanvasPayloadError';

  /** @internal */
  constructor(task: string, problem: string) {
    super(`nestjs-jobs: the payload for task "${task}" cannot be made of the result of the step before: ${problem}.`);
  }
}

/**
 * The members of a group were added one after another by a process that died, or that did not say for a `lease` that it still
 * lives. Not all of them exist, so the canvas fails.
 *
 * @publicApi
 */
export class AbandonedCanvasError extends NonRetryableError {
  override readonly name = 'AbandonedCanvasError';

  /** @internal */
  constructor(problem = 'the process that added the members of the group died before it had added them all') {
    super(`nestjs-jobs: ${problem}. Start the canvas again.`);
  }
}
