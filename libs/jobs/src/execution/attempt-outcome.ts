/**
 * How an attempt ended; decided by the executor alone. The set is closed.
 *
 * `skipped` is a success with a reason, `snoozed` waits for its time again, `released` is given back unfinished: the last
 * two spend no attempt. `cancelled` was not run at all.
 *
 * @internal
 */
export type AttemptOutcome =
  | { readonly kind: 'succeeded'; readonly result: unknown }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'retrying'; readonly error: unknown; readonly delay: number }
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      /** False when the task was not run at all. */ readonly ran: boolean;
    }
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'snoozed'; readonly until: number }
  | { readonly kind: 'released'; readonly until: number };
