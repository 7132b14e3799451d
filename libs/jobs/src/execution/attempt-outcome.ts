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
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'released'; readonly until: number };
