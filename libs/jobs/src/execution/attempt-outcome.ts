import type { PlacedCanvas } from '../canvas/placed-canvas.js';
import type { Waits } from '../client/envelope.js';
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

/** @internal */
export interface ParkedAttempt {
  readonly kind: 'parked';
  readonly waits: Waits;
  /** When (ms since the epoch) it comes back, unless somebody wakes it. */
  readonly until: number;
  /**
   * Asked when it is parked, when there is something that may have called it: until it was, nobody could wake it.
   * Undefined for one that waits for its time alone.
   */
  readonly isCalled?: () => Promise<boolean>;
  /** Limits that have let it through in this attempt. */
  readonly passed?: readonly string[];
}

/**
 * How an attempt ended; decided by the executor alone. The set is closed.
 *
 * `skipped` is a success with a reason, `snoozed` waits for its time again, `released` is given back unfinished, and
 * `parked` has stepped out of its slot, and `replaced` waits
 * for the canvas that it has replaced itself with: the last four spend no attempt. A `cancelled` one was not run at all, or has an
 * `error`. Of a `lost` one nothing is told: the job is somebody else's.
 *
 * @internal
 */
export type AttemptOutcome =
  | {
      readonly kind: 'succeeded';
      readonly result: unknown;
      /** The id of the job whose result it is. */
      readonly deduplicatedBy?: string;
    }
  | { readonly kind: 'skipped'; readonly reason: string }
  | FailedAttempt
  | CancelledAttempt
  | { readonly kind: 'snoozed'; readonly until: number; readonly delay?: number }
  | { readonly kind: 'released'; readonly until: number }
  | ParkedAttempt
  | { readonly kind: 'replaced'; readonly canvas: PlacedCanvas }
  | { readonly kind: 'lost' };

/** A failure of an attempt that was told to stop, unless the task says itself how the job is to go on. @internal */
export function isUnwanted(outcome: AttemptOutcome): boolean {
  if (outcome.kind === 'retrying') return !(outcome.error instanceof RetryLater);
  return outcome.kind === 'failed' && outcome.ran && !isFinal(outcome.error);
}

/** The end of a job whose task was not run in this attempt. @internal */
export function isUnrun(outcome: AttemptOutcome): boolean {
  return outcome.kind === 'cancelled' ? !('error' in outcome) : outcome.kind === 'failed' && !outcome.ran;
}
