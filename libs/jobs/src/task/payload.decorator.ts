import type { PipeTransform, Type } from '@nestjs/common';

/**
 * Where Nest keeps what it knows of a handler's parameters. The literal, because Nest 11 exports the constant nowhere.
 *
 * @internal
 */
export const PARAMETERS_METADATA = '__routeArguments__';

/** The parameter type that Nest's pipes know as a body, so that ValidationPipe and its like act on the payload. */
const BODY = 3;
/** A number that Nest gives to no decorator of its own; its pipes then see a parameter of type 'custom'. */
const CONTEXT = 100;

/** The numbers by which a task's two parameters are known among what Nest keeps. @internal */
export const PARAMETER_TYPES = { payload: BODY, context: CONTEXT } as const;

type Pipe = Type<PipeTransform> | PipeTransform;

/** @internal */
export interface ParameterEntry {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes: Pipe[];
  /** Tells this library's entries from those of Nest's `@Body()`, which has the same number. */
  readonly ofTask?: true;
}

/**
 * Puts pipes on the payload, the first parameter of a task.
 *
 * @example
 * ```ts
 * import { Injectable, ValidationPipe } from '@nestjs/common';
 * import { Payload, Task } from 'nestjs-jobs';
 *
 * class Greeting {
 *   name!: string;
 * }
 *
 * @Injectable()
 * export class Mails {
 *   @Task()
 *   greet(@Payload(new ValidationPipe({ transform: true })) greeting: Greeting): string {
 *     return `Hello ${greeting.name}`;
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function Payload(...pipes: Pipe[]): ParameterDecorator {
  return (target, method, index) => {
    if (method !== undefined) describe(target, method, BODY, index, pipes);
  };
}

/**
 * Describes the payload and the context where the user did not: Nest runs no pipes on parameters that nothing
 * describes. Parameter decorators run before method decorators, so what the user wrote is there already.
 *
 * @internal
 */
export function describeParameters(target: object, method: string | symbol): void {
  const described = readParameters(target, method);
  if (!(`${BODY}:0` in described)) describe(target, method, BODY, 0, []);
  if (!(`${CONTEXT}:1` in described)) describe(target, method, CONTEXT, 1, []);
}

function describe(target: object, method: string | symbol, type: number, index: number, pipes: Pipe[]): void {
  const entry: ParameterEntry = { index, data: undefined, pipes, ofTask: true };
  const all = { ...readParameters(target, method), [`${type}:${index}`]: entry };
  Reflect.defineMetadata(PARAMETERS_METADATA, all, target.constructor, method);
}

/** What decorators said of a method's parameters, by `{type}:{index}`. @internal */
export function readParameters(prototype: object, method: string | symbol): Readonly<Record<string, ParameterEntry>> {
  const described: unknown = Reflect.getMetadata(PARAMETERS_METADATA, prototype.constructor, method);
  return (described as Record<string, ParameterEntry> | undefined) ?? {};
}
