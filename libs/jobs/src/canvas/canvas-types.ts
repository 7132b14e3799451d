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

/** Whether a failed member fails its group, or is told of in the list. */
type GroupKind = 'whole' | 'partial';

/** A group whose members become those of a group of the same kind that it stands in. */
export interface GroupSignature<
  in In,
  out Out extends readonly unknown[],
  out Kind extends GroupKind = 'whole',
> extends Signature<In, Out> {
  /** Types only; never there at run time. */
  readonly __group?: Kind;
}

/** The results of a group, in the order of its members; groups in it are flattened. */
export type ResultsOf<
  Members extends readonly AnySignature[],
  Kind extends GroupKind = 'whole',
  Found extends readonly unknown[] = [],
> = number extends Members['length']
  ? ElementOf<Members[number], Kind>[]
  : Members extends readonly [infer First, ...infer Rest extends readonly AnySignature[]]
    ? ResultsOf<Rest, Kind, [...Found, ...PlacesOf<First, Kind>]>
    : Found;

/** The results of a group whose members are not counted. */
export type ElementOf<Member, Kind extends GroupKind = 'whole'> = Member extends unknown
  ? PlacesOf<Member, Kind>[number]
  : never;

/** What stands for a member in the list of the results: most often one. */
type PlacesOf<Member, Kind extends GroupKind> = '__group' extends keyof Member
  ? Member extends { readonly __group?: Kind }
    ? OutOf<Member> extends infer Inner extends readonly unknown[]
      ? Inner
      : never
    : [ResultOf<Member, Kind>]
  : [ResultOf<Member, Kind>];

type ResultOf<Member, Kind extends GroupKind> = Kind extends 'partial' ? Settled<OutOf<Member>> : OutOf<Member>;

/** What became of a member of a group with `allowPartial`. @publicApi */
export type Settled<Value> =
  | { readonly status: 'succeeded'; readonly value: Value }
  | { readonly status: 'failed' | 'cancelled'; readonly error: JobErrorInfo };

/** The steps of a chain, each of which must take the result of the one before. */
export type Linked<Steps extends readonly unknown[]> = number extends Steps['length']
  ? Steps
  : Steps extends readonly [infer First, ...infer Rest]
    ? LinkedAfter<Rest, OutOf<First>, [First]>
    : Steps;

type LinkedAfter<
  Steps extends readonly unknown[],
  Previous,
  Found extends readonly unknown[],
> = Steps extends readonly [infer Step, ...infer Rest]
  ? LinkedAfter<Rest, OutOf<Step>, [...Found, Takes<Step, Previous>]>
  : Found;

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
