import { NonRetryableError } from '../execution/execution.errors.js';

/** One thing that a schema found wrong. @publicApi */
export interface SchemaIssue {
  /** Where, as in `$.items[2].when`; for `enqueueMany` as in `entries[3].payload.items[2].when`. */
  readonly path: string;
  /** In the schema's own words. */
  readonly message: string;
}

/** The first issues that a schema found, and how many there are in all. @internal */
export interface SchemaFailure {
  readonly issues: readonly SchemaIssue[];
  readonly count: number;
}

/**
 * The payload is not what the task's schema asks for. `enqueue` rejects with it, and nothing was enqueued. A job that
 * was stored before the schema changed fails with it, and is not tried again.
 *
 * @publicApi
 */
export class PayloadInvalidError extends NonRetryableError {
  override readonly name = 'PayloadInvalidError';
  /** At most 20. */
  readonly issues: readonly SchemaIssue[];

  /** @internal */
  constructor(task: string, failure: SchemaFailure) {
    super(`nestjs-jobs: the payload for task "${task}" does not match its schema: ${summaryOf(failure)}`);
    this.issues = failure.issues;
  }
}

/** The task returned something else than its contract's `output` asks for. The job fails, and is not tried again. @publicApi */
export class ResultInvalidError extends NonRetryableError {
  override readonly name = 'ResultInvalidError';
  /** At most 20. */
  readonly issues: readonly SchemaIssue[];

  /** @internal */
  constructor(task: string, failure: SchemaFailure) {
    super(`nestjs-jobs: the result of task "${task}" does not match the output of its contract: ${summaryOf(failure)}`);
    this.issues = failure.issues;
  }
}

function summaryOf({ issues, count }: SchemaFailure): string {
  const told = issues.map(({ path, message }) => `${path}: ${message}`).join('; ');
  return count > issues.length ? `${told}; and ${count - issues.length} more.` : `${told}.`;
}
