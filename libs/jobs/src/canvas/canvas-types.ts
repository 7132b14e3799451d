import type { JobErrorInfo } from '../client/job-status.js';
import type { Signature } from './signature.js';

/** Any part of a canvas. */
export type AnySignature = Signature<never, unknown>;

/** The result of a signature. */
export type OutOf<S> = S extends Signature<never, infer Out> ? Out : never;

/** What all members of a group take of the step before. */
export type InOf<Members extends readonly AnySignature[]> = Members extends readonly []
  ? unknown
  : Members[number] extends Signature<infer In, unknown>
    ? In
    : never;

/** A group whose members become those of a group that it stands in. */
export interface GroupSignature<in In, out Out extends readonly unknown[]> extends Signature<In, Out> {
  /** Types only; never there at run time. */
  readonly __isGroup?: true;
}

/** The results of a group, in the order of its members; groups in it are flattened. */
export type ResultsOf<Members extends readonly AnySignature[]> = number extends Members['length']
  ? OutOf<Members[number]>[]
  : Members extends readonly [infer First, ...infer Rest extends readonly AnySignature[]]
    ? First extends { readonly __isGroup?: true }
      ? '__isGroup' extends keyof First
        ? OutOf<First> extends infer Inner extends readonly unknown[]
          ? [...Inner, ...ResultsOf<Rest>]
          : [OutOf<First>, ...ResultsOf<Rest>]
        : [OutOf<First>, ...ResultsOf<Rest>]
      : [OutOf<First>, ...ResultsOf<Rest>]
    : [];

/** What became of a member of a group with `allowPartial`. @publicApi */
export type Settled<Value> =
  | { readonly status: 'succeeded'; readonly value: Value }
  | { readonly status: 'failed' | 'cancelled'; readonly error: JobErrorInfo };

/** {@link ResultsOf} a group with `allowPartial`. */
export type SettledOf<Results> = { -readonly [I in keyof Results]: Settled<Results[I]> };

/** The steps of a chain, each of which must take the result of the one before. */
export type Linked<Steps extends readonly unknown[]> = number extends Steps['length']
  ? Steps
  : Steps extends readonly [infer First, ...infer Rest]
    ? [First, ...LinkedAfter<Rest, OutOf<First>>]
    : Steps;

type LinkedAfter<Steps extends readonly unknown[], Previous> = Steps extends readonly [infer Step, ...infer Rest]
  ? [Takes<Step, Previous>, ...LinkedAfter<Rest, OutOf<Step>>]
  : [];

type Takes<Step, Previous> =
  Step extends Signature<infer In, unknown>
    ? [Previous] extends [In]
      ? Step
      : Signature<Previous, OutOf<Step>>
    : never;

/** What a chain takes, and gives. */
export type ChainOf<Steps extends readonly unknown[]> = Signature<
  Steps extends readonly [infer First, ...unknown[]] ? TakenBy<First> : TakenBy<Steps[number]>,
  OutOf<Steps extends readonly [...unknown[], infer Last] ? Last : Steps[number]>
>;

type TakenBy<S> = S extends Signature<infer In, unknown> ? In : never;
