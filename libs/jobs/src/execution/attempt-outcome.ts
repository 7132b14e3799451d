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

/**
 * How an attempt ended; decided by the executor alone. The set is closed.
 *
 * `skipped` is a success with a reason, `snoozed` waits for its time again, `released` is given back unfinished: the last
 * two spend no attempt. `cancelled` was not run at all. Of a `lost` one nothing is told: the job is somebody else's.
 *
 * @internal
 */
export type AttemptOutcome =
  | { readonly kind: 'succeeded'; readonly result: unknown }
  | { readonly kind: 'skipped'; readonly reason: string }
  | FailedAttempt
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'snoozed'; readonly until: number }
  | { readonly kind: 'released'; readonly until: number }
  | { readonly kind: 'lost' };
