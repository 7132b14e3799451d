/**
 * How an attempt ended; decided by the executor alone.
 *
 * `released`: given back unfinished, without an attempt being spent, to be fetched again at `until`.
 *
 * @internal
 */
export type AttemptOutcome =
  | { readonly kind: 'succeeded'; readonly result: unknown }
  | { readonly kind: 'retrying'; readonly error: unknown; readonly delay: number }
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      /** False when the task was not run at all. */ readonly ran: boolean;
    }
  | { readonly kind: 'released'; readonly until: number };
