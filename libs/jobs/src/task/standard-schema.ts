import { InvalidTaskError } from './task.errors.js';

/**
 * A schema of zod, valibot, arktype or any other library that speaks Standard Schema
 * (https://standardschema.dev). The interface is copied, as its authors suggest, so that this library needs none of them.
 *
 * @publicApi
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Types only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value: the value that it makes of it, or what is wrong with it. @publicApi */
export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

/** One thing that a schema finds wrong. @publicApi */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. @publicApi */
export type InputOf<Schema extends StandardSchemaV1> = NonNullable<Schema['~standard']['types']>['input'];

/** What a schema makes of it: with defaults filled in and transforms applied. @publicApi */
export type OutputOf<Schema extends StandardSchemaV1> = NonNullable<Schema['~standard']['types']>['output'];

/** @throws {@link InvalidTaskError} that begins with `place`, as in `Mails.send has a schema`. @internal */
export function assertSchema(value: unknown, place: string): asserts value is StandardSchemaV1 {
  // Those of arktype are functions.
  const mayBe = (typeof value === 'object' && value !== null) || typeof value === 'function';
  if (mayBe && typeof (value as Partial<StandardSchemaV1>)['~standard']?.validate === 'function') return;
  throw new InvalidTaskError(
    place,
    'that is no Standard Schema',
    'Pass one of zod (3.24 or later), valibot (1), arktype (2) or another library that https://standardschema.dev lists',
  );
}
