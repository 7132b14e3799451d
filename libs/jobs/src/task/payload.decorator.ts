import type { PipeTransform, Type } from '@nestjs/common';

/**
 * Where Nest keeps what it knows of a handler's parameters. The literal, because Nest 11 exports the constant nowhere.
 *
 * @internal
 */
export const PARAMETERS_METADATA = '__routeArguments__';

/** The parameter type that Nest's pipes know as a body, so that ValidationPipe and its like act on the payload. */
const BODY = 3;
const CONTEXT = 6;

/** The place of the context's entry among the parameters, beside Nest's own numbers. @internal */
export const PARAMETER_TYPES = { payload: BODY, context: CONTEXT } as const;

type Pipe = Type<PipeTransform> | PipeTransform;

interface ParameterEntry {
  index: number;
  data: undefined;
  pipes: Pipe[];
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
    if (method !== undefined) describe(target, method, BODY, { index, data: undefined, pipes });
  };
}

/**
 * Describes the payload and the context where the user did not: Nest runs no pipes on parameters that nothing
 * describes. Parameter decorators run before method decorators, so what the user wrote is there already.
 *
 * @internal
 */
export function describeParameters(target: object, method: string | symbol): void {
  const described = read(target, method);
  if (!(`${BODY}:0` in described)) describe(target, method, BODY, { index: 0, data: undefined, pipes: [] });
  if (!(`${CONTEXT}:1` in described)) describe(target, method, CONTEXT, { index: 1, data: undefined, pipes: [] });
}

function describe(target: object, method: string | symbol, type: number, entry: ParameterEntry): void {
  const all = { ...read(target, method), [`${type}:${entry.index}`]: entry };
  Reflect.defineMetadata(PARAMETERS_METADATA, all, target.constructor, method);
}

function read(target: object, method: string | symbol): Record<string, unknown> {
  return (Reflect.getMetadata(PARAMETERS_METADATA, target.constructor, method) as Record<string, unknown>) ?? {};
}
