import { CANCEL_MARK } from './cancel-mark.js';
import type { JobErrorInfo } from './job-status.js';

/** How it begins what a job failed with that only failed along with another. @internal */
export const CHILD_FAILURE_MARK = 'nestjs-jobs:child-failed ';
/**
 * How everything begins that no dead letter ends with: what was cancelled is none, and what only failed along with another
 * job is done again with that one.
 *
 * @internal
 */
export const NO_DEAD_LETTER = 'nestjs-jobs:c';

/** Of a job that failed along with a job that it waited for. @internal */
export interface ChildFailure {
  readonly error: JobErrorInfo;
  /** The job that failed by itself. */
  readonly jobId: string;
  readonly task: string;
  /** How many jobs of the chain are between: 0 when it failed among the members of this one's own group. */
  readonly steps: number;
}

/** @internal */
export function childFailureMark(failure: ChildFailure): string {
  return CHILD_FAILURE_MARK + JSON.stringify(failure);
}

/** @internal */
export function readChildFailure(failedReason: string | undefined): ChildFailure | undefined {
  if (!failedReason?.startsWith(CHILD_FAILURE_MARK)) return undefined;
  return JSON.parse(failedReason.slice(CHILD_FAILURE_MARK.length)) as ChildFailure;
}

/** Whether a text would be taken for a word of ours. @internal */
export function isMark(text: string): boolean {
  return text.startsWith(CANCEL_MARK) || text.startsWith(CHILD_FAILURE_MARK);
}
