import { NonRetryableError } from '../execution/execution.errors.js';

/**
 * The key of {@link Idempotent} was used before, or is being used, with another payload: one of the two has the wrong key.
 * The method was not run. Not tried again; a request is answered 422.
 *
 * @publicApi
 */
export class IdempotencyMismatchError extends NonRetryableError {
  override readonly name = 'IdempotencyMismatchError';

  constructor(
    readonly key: string,
    /** The id of the job that used it first. Not in the message: whoever has an id can look at the job. */
    readonly usedBy: string,
  ) {
    super(
      `nestjs-jobs: the idempotency key "${key}" belongs to another payload. ` +
        'Give each piece of work a key of its own, made of all that tells it from others.',
    );
  }
}

/** Another job with the same key of {@link Idempotent} runs, and was not waited for, or not any longer. @publicApi */
export class IdempotencyBusyError extends Error {
  override readonly name = 'IdempotencyBusyError';

  constructor(readonly key: string) {
    super(
      `nestjs-jobs: another job with the idempotency key "${key}" runs. Try later, or wait for its result (onBusy).`,
    );
  }
}

/**
 * The process was frozen or cut off from the store for so long that another job with the same key of {@link Idempotent}
 * could begin. What the method did may have been done twice; its result was not kept.
 *
 * @publicApi
 */
export class IdempotencyClaimLostError extends Error {
  override readonly name = 'IdempotencyClaimLostError';

  constructor(readonly key: string) {
    super(
      `nestjs-jobs: the claim on the idempotency key "${key}" was lost while the task ran, and another job may have done ` +
        'the same. Hand job.idempotencyKey to the services that it calls: they do a thing once even then.',
    );
  }
}
