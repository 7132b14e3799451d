import type { Holding, Line, TakeOptions, Waiting } from './lines.js';

/** A result that is to be kept. @internal */
export interface KeptResult {
  /** Of the claim. */
  readonly fencingToken: number;
  /** As in {@link KeptResults.claim}. */
  readonly fingerprint: string;
  /** Text of any kind. */
  readonly value: string;
  /** Milliseconds. */
  readonly keepFor: number;
}

/** There is a result under the key. @internal */
export interface Kept {
  readonly kind: 'kept';
  /** As it was given to {@link KeptResults.keep}. */
  readonly value: string;
  /** Who gave it. */
  readonly by: string;
  readonly wake: readonly string[];
}

/** Under the key stands, or runs, something that was asked for differently. @internal */
export interface Mismatch {
  readonly kind: 'mismatch';
  readonly by: string;
  readonly wake: readonly string[];
}

/**
 * Results that are kept under keys, and claims on the keys of results that are not there yet. A claim is the one place of
 * a line, whose name is the key: it is renewed, given up and left as any other place, see {@link Lines}.
 *
 * Each operation is one round trip and atomic; times are the store's clock.
 *
 * @internal
 */
export interface KeptResults {
  /**
   * The result under the key; else a claim on it, unless somebody else has one.
   *
   * @param fingerprint - of what is asked for. Another one than that of the result, or of whoever has the claim, is a
   * mismatch; of a claim that was given up, or has expired, nothing is left.
   */
  claim(
    line: Line,
    id: string,
    options: TakeOptions & { readonly fingerprint: string },
  ): Promise<Holding | Waiting | Kept | Mismatch>;
  /**
   * Ends a claim with a result, which is kept for `keepFor` ms. Refused when somebody else has the claim, or has had it and
   * a result is there: then nothing is changed.
   *
   * @returns who is to be woken: all that wait. Undefined when it was refused.
   */
  keep(line: Line, id: string, result: KeptResult): Promise<string[] | undefined>;
}
