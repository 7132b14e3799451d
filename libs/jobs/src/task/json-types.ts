import type { Readable as Stream } from 'node:stream';
import type { ResultStream } from '../results/result-stream.js';

declare const reason: unique symbol;

/**
 * Stands in a type where JSON has nothing, so that the compiler can say why a value does not fit. No value has it.
 *
 * @publicApi
 */
export interface NotJson<Why extends string> {
  readonly [reason]: Why;
}

/**
 * `Payload` where JSON carries it as it is; elsewhere {@link NotJson} with the reason, which no value fits. It takes
 * interfaces, recursive types, tuples and unions; a property may be optional or undefined, an item of an array may not.
 * Types cannot tell everything: NaN, a cycle and an instance of a class without methods are found by `enqueue`.
 *
 * @example
 * ```ts
 * import type { JsonSafe } from 'nestjs-jobs';
 *
 * interface Reminder {
 *   userId: string;
 *   text?: string;
 * }
 *
 * export const reminder: JsonSafe<Reminder> = { userId: 'ada' };
 * ```
 *
 * @publicApi
 */
export type JsonSafe<Payload> =
  IsOpen<Payload> extends true
    ? Payload
    : // Of a class with private members only this copy can be passed as a plain object.
      [Sendable<Payload>] extends [Payload]
      ? Payload
      : Sendable<Payload>;

/**
 * What comes back of a task's result. JSON has no `undefined`: a property that may be undefined may be absent, and a
 * result that may be undefined may be null. A Buffer or a stream comes back as a {@link ResultStream}. What else JSON cannot carry fails the job, and is {@link NotJson} here.
 *
 * @example
 * ```ts
 * import type { Jsonify } from 'nestjs-jobs';
 *
 * export const nothing: Jsonify<void> = null;
 * export const report: Jsonify<{ pages: number; note: string | undefined }> = { pages: 3 };
 * ```
 *
 * @publicApi
 */
export type Jsonify<Result> =
  IsOpen<Result> extends true
    ? Result
    : // Distributes, so that void and undefined become null and the rest of a union stays.
      Result extends void
      ? null
      : // Kept in a store, and read from there.
        Result extends Uint8Array | Stream
        ? ResultStream
        : Readable<Result> extends infer Read
          ? [Read, Result] extends [Result, Read]
            ? Result
            : Read
          : never;

/** Of `any` and `unknown` only the check at run time can say something. */
type IsOpen<T> = unknown extends T ? true : false;

type Primitive = string | number | boolean | null;

type Sendable<T> =
  IsOpen<T> extends true
    ? T
    : T extends Primitive | undefined
      ? T
      : [Obstacle<T>] extends [never]
        ? T extends readonly unknown[]
          ? SendableList<T>
          : { [K in keyof T]: K extends symbol ? T[K] : Sendable<T[K]> }
        : Obstacle<T>;

/** A mapped type would ask for the items of an array at once, and never end with a recursive union. */
type SendableList<T extends readonly unknown[]> = T[number][] extends T
  ? T extends unknown[]
    ? SendableItem<T[number]>[]
    : readonly SendableItem<T[number]>[]
  : { [I in keyof T]: SendableItem<T[I]> };

type SendableItem<T> =
  IsOpen<T> extends true ? T : T extends undefined ? NotJson<'undefined in an array: use null'> : Sendable<T>;

type Readable<T> =
  IsOpen<T> extends true
    ? T
    : T extends Primitive
      ? T
      : [Obstacle<T>] extends [never]
        ? T extends readonly unknown[]
          ? ReadableList<T>
          : ReadableObject<T>
        : Obstacle<T>;

type ReadableList<T extends readonly unknown[]> = T[number][] extends T
  ? T extends unknown[]
    ? Readable<T[number]>[]
    : readonly Readable<T[number]>[]
  : { [I in keyof T]: Readable<T[I]> };

type ReadableObject<T> = [MaybeUndefined<T>] extends [never]
  ? { [K in keyof T]: ReadableProperty<T, K> }
  : Flat<
      { [K in keyof T as K extends MaybeUndefined<T> ? never : K]: ReadableProperty<T, K> } & {
        [K in MaybeUndefined<T>]?: ReadableProperty<T, K>;
      }
    >;

/** A key that is a symbol is most often a brand, which exists in types only; a real one is refused at run time. */
type ReadableProperty<T, K extends keyof T> = K extends symbol ? T[K] : Readable<Exclude<T[K], undefined>>;

/** The keys that are always there in the type, but not in the JSON when they are undefined. */
type MaybeUndefined<T> = {
  [K in keyof T]-?: IsOpen<T[K]> extends true
    ? never
    : undefined extends T[K]
      ? Record<never, never> extends Pick<T, K>
        ? never
        : K
      : never;
}[keyof T];

type Flat<T> = { [K in keyof T]: T[K] };

/** Why JSON cannot carry a T, or never. */
type Obstacle<T> = T extends undefined
  ? NotJson<'undefined in an array: use null'>
  : T extends bigint
    ? NotJson<'a bigint: use a string'>
    : T extends symbol
      ? NotJson<'a symbol'>
      : T extends ((...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown)
        ? NotJson<'a function'>
        : T extends Date
          ? NotJson<'a Date: use its toISOString(), or a taskContract with a schema that makes the Date'>
          : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
            ? NotJson<'a Map or Set: use an object or an array'>
            : T extends ArrayBufferView | ArrayBuffer
              ? NotJson<'binary data: use a string, or a reference to it'>
              : never;
