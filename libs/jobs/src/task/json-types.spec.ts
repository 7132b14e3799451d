import type { Readable as Stream } from 'node:stream';
import { expectTypeOf } from 'expect-type';
import type { Jsonify, JsonSafe, NotJson } from './json-types.js';
import type { ResultReference } from '../results/result-reference.js';
import type { ResultStream } from '../results/result-stream.js';

interface Report {
  id: string;
  note?: string;
  parts: Report[];
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Shape = { kind: 'circle'; radius: number } | { kind: 'box'; sides: [number, number] };
type UserId = string & { readonly __brand: 'UserId' };
declare const brand: unique symbol;
enum Level {
  low,
  high,
}

class Dto {
  id!: string;
  tags!: readonly string[];
}

class WithPrivate {
  id!: string;
  private readonly secret = 1;
  static readonly read = (dto: WithPrivate): number => dto.secret;
}

class Account {
  id!: string;
  close(): void {}
}

// Compiled by the type check, never called: what they assert are types.
function typesThatJsonCarries(): void {
  expectTypeOf<JsonSafe<Report>>().toEqualTypeOf<Report>();
  expectTypeOf<JsonSafe<Json>>().toEqualTypeOf<Json>();
  expectTypeOf<JsonSafe<Shape>>().toEqualTypeOf<Shape>();
  expectTypeOf<JsonSafe<Dto>>().toEqualTypeOf<Dto>();
  expectTypeOf<JsonSafe<UserId>>().toEqualTypeOf<UserId>();
  expectTypeOf<JsonSafe<{ id: UserId; level: Level }>>().toEqualTypeOf<{ id: UserId; level: Level }>();
  expectTypeOf<JsonSafe<{ id: string } & { [brand]?: 'Order' }>>().toEqualTypeOf<
    { id: string } & { [brand]?: 'Order' }
  >();
  expectTypeOf<JsonSafe<Record<string, readonly number[]>>>().toEqualTypeOf<Record<string, readonly number[]>>();
  expectTypeOf<JsonSafe<{ name: string; message: string }>>().toEqualTypeOf<{ name: string; message: string }>();
  expectTypeOf<JsonSafe<[string, ...number[]]>>().toEqualTypeOf<[string, ...number[]]>();
  expectTypeOf<JsonSafe<readonly string[]>>().toEqualTypeOf<readonly string[]>();
  expectTypeOf<JsonSafe<readonly [string, number | null]>>().toEqualTypeOf<readonly [string, number | null]>();
  expectTypeOf<JsonSafe<{ a: string | undefined }>>().toEqualTypeOf<{ a: string | undefined }>();
  expectTypeOf<JsonSafe<string | undefined>>().toEqualTypeOf<string | undefined>();
  expectTypeOf<JsonSafe<undefined>>().toEqualTypeOf<undefined>();
  expectTypeOf<JsonSafe<boolean>>().toEqualTypeOf<boolean>();
  expectTypeOf<JsonSafe<unknown>>().toBeUnknown();
  expectTypeOf<JsonSafe<{ any: unknown }>>().toEqualTypeOf<{ any: unknown }>();
  // A plain object in place of the instance, whose private members JSON does not carry.
  expectTypeOf<JsonSafe<WithPrivate>>().toEqualTypeOf<{ id: string }>();
}

function send<Payload>(_payload: JsonSafe<Payload>): void {}

function typesThatAreRefused(): void {
  // @ts-expect-error a Date
  send<{ when: Date }>({ when: new Date() });
  // @ts-expect-error also in a union
  send<{ when: string | Date }>({ when: new Date() });
  // @ts-expect-error also deep inside
  send<{ rows: { when: Date }[] }>({ rows: [{ when: new Date() }] });
  // @ts-expect-error also in a type that contains itself
  send<Tree>({ next: { next: { when: new Date() } } });
  // @ts-expect-error a Map
  send<{ counts: Map<string, number> }>({ counts: new Map() });
  // @ts-expect-error a Set
  send<Set<string>>(new Set());
  // @ts-expect-error a bigint
  send<{ cents: bigint }>({ cents: 1n });
  // @ts-expect-error a symbol
  send<{ key: symbol }>({ key: Symbol('key') });
  // @ts-expect-error a function
  send<{ onEnd: () => void }>({ onEnd: () => undefined });
  // @ts-expect-error a class
  send<{ type: typeof Dto }>({ type: Dto });
  // @ts-expect-error an instance of a class with methods
  send<Account>(new Account());
  // @ts-expect-error binary data
  send<{ file: Uint8Array }>({ file: new Uint8Array() });
  // @ts-expect-error undefined in an array
  send<(string | undefined)[]>([undefined]);
  // @ts-expect-error undefined in a tuple
  send<{ pair: [string, number | undefined] }>({ pair: ['a', undefined] });
  // @ts-expect-error the head of a tuple of any length
  send<[string, ...number[]]>([1, 2]);
  // @ts-expect-error a Date in its tail
  send<[string, ...Date[]]>(['a', new Date()]);
  send<(string | undefined)[]>(['what JSON carries of it is taken']);
  send<{ when?: Date; id: string }>({ id: 'what JSON carries of it is taken' });
  expectTypeOf<JsonSafe<{ cents: bigint }>>().toEqualTypeOf<{ cents: NotJson<'a bigint: use a string'> }>();
}

interface Tree {
  next?: Tree;
  when?: Date;
}

function typesOfResults(): void {
  expectTypeOf<Jsonify<Report>>().toEqualTypeOf<Report>();
  expectTypeOf<Jsonify<Json>>().toEqualTypeOf<Json>();
  expectTypeOf<Jsonify<[string, ...number[]]>>().toEqualTypeOf<[string, ...number[]]>();
  expectTypeOf<Jsonify<Shape>>().toEqualTypeOf<Shape>();
  expectTypeOf<Jsonify<void>>().toEqualTypeOf<null>();
  expectTypeOf<Jsonify<undefined>>().toEqualTypeOf<null>();
  expectTypeOf<Jsonify<string | undefined>>().toEqualTypeOf<string | null>();
  // oxlint-disable-next-line typescript/no-invalid-void-type
  expectTypeOf<Jsonify<Report | void>>().toEqualTypeOf<Report | null>();
  expectTypeOf<Jsonify<Buffer>>().toEqualTypeOf<ResultStream>();
  expectTypeOf<Jsonify<Stream | null>>().toEqualTypeOf<ResultStream | null>();
  expectTypeOf<Jsonify<{ bytes: Uint8Array }>['bytes']>().not.toEqualTypeOf<ResultStream>();
  // What the next step of a chain takes.
  expectTypeOf<ResultStream>().toExtend<ResultReference>();
  expectTypeOf<Jsonify<boolean>>().toEqualTypeOf<boolean>();
  expectTypeOf<Jsonify<never>>().toBeNever();
  expectTypeOf<Jsonify<unknown>>().toBeUnknown();
  expectTypeOf<Jsonify<{ a: string; b: number | undefined; c?: boolean }>>().branded.toEqualTypeOf<{
    a: string;
    b?: number;
    c?: boolean;
  }>();
  expectTypeOf<Jsonify<WithPrivate>>().toEqualTypeOf<{ id: string }>();
  expectTypeOf<Jsonify<{ rows: { when: Date }[] }>['rows'][0]['when']>().not.toEqualTypeOf<string>();
  expectTypeOf<Jsonify<Account>['close']>().toEqualTypeOf<NotJson<'a function'>>();
  expectTypeOf<Jsonify<(string | undefined)[]>>().toEqualTypeOf<
    (string | NotJson<'undefined in an array: use null'>)[]
  >();
}

describe('the types of what JSON carries', () => {
  it('are checked by the compiler', () => {
    expect([typesThatJsonCarries, typesThatAreRefused, typesOfResults]).toHaveLength(3);
  });
});
