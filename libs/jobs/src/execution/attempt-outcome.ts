import { RetryLater } from './control-exceptions.js';
import { isFinal } from './final-errors.js';

/**
 * An attempt that did not do what it was to do.
 *
 * @internal
 */
export type FailedAttempt =
  | {
      readonly kind: 'retrying';
      readonly error: unknown;
      /** Milliseconds. */
      readonly delay: number;
      readonly leftRunning?: boolean;
    }
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      /** False when the task was not run at all. */
      readonly ran: boolean;
      /** Its code still ran when the attempt was ended. */
      readonly leftRunning?: boolean;
    };

/** @internal */
export type CancelledAttempt = {
  readonly kind: 'cancelled';
  readonly reason: string | undefined;
  /** Of an attempt that ran: what it ended with when it had been asked to stop. */
  readonly error?: unknown;
  readonly leftRunning?: boolean;
};

/**
 * How an attempt ended; decided by the executor alone. The set is closed.
 *
 * `skipped` is a success with a reason, `snoozed` waits for its time again, `released` is given back unfinished: the last
 * two spend no attempt. A
 * `cancelled` one was not run at all, or has an `error`. Of a `lost` one nothing is told: the job is somebody else's.
 *
 * @internal
 */
export type AttemptOutcome =
  | { readonly kind: 'succeeded'; readonly result: unknown }
  | { readonly kind: 'skipped'; readonly reason: string }
  | FailedAttempt
  | CancelledAttempt
  | { readonly kind: 'snoozed'; readonly until: number }
  | { readonly kind: 'released'; readonly until: number }
  | { readonly kind: 'lost' };

/** A failure of an attempt that was told to stop, unless the task says itself how the job is to go on. @internal */
export function isUnwanted(outcome: AttemptOutcome): boolean {
  if (outcome.kind === 'retrying') return !(outcome.error instanceof RetryLater);
  return outcome.kind === 'failed' && outcome.ran && !isFinal(outcome.error);
}
