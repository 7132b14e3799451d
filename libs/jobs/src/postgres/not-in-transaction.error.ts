/**
 * `fromTypeOrm`, `fromKnex` or `fromDrizzle` was given something that is in no open transaction, so a job enqueued with
 * it could not commit together with anything. Nothing was enqueued.
 *
 * @publicApi
 */
export class NotInTransactionError extends Error {
  override readonly name = 'NotInTransactionError';

  constructor(helper: string, given: string, expected: string) {
    super(`nestjs-jobs: ${helper} was given ${given}. Pass ${expected}.`);
  }
}
