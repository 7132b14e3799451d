import { UseInterceptors, type NestInterceptor, type Type } from '@nestjs/common';
import { InvalidTaskError } from './task.errors.js';

/** The order in which they stand before a method, whatever order their decorators are in. @internal */
export const POLICIES = ['limit', 'lock', 'idempotency'] as const;

/** What a decorator says of when a method may run. @internal */
export type Policy = (typeof POLICIES)[number];

/** Nest's key, which Nest 11 exports nowhere. */
const INTERCEPTORS = '__interceptors__';
/** Read by every copy of the library that an app may have installed, hence strings. */
const KEYS: Record<Policy, string> = {
  limit: 'nestjs-jobs:limit',
  lock: 'nestjs-jobs:lock',
  idempotency: 'nestjs-jobs:idempotency',
};
const ENFORCES = 'nestjs-jobs:enforces';
const METHOD = 'nestjs-jobs:method';
const DECORATORS: Record<Policy, string> = { limit: '@RateLimited', lock: '@Locked', idempotency: '@Idempotent' };

/**
 * Decorates a method with what its first parameter says.
 *
 * @publicApi
 */
export type PolicyDecorator<Method> = (
  target: object,
  method: string,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** Of an interceptor: it stands before all others of a task, also before global ones. @internal */
export function Enforces(policy: Policy): ClassDecorator {
  return (type) => Reflect.defineMetadata(ENFORCES, policy, type);
}

/**
 * What `@Idempotent`, `@Locked` and `@RateLimited` do: they say what they want, and have the interceptor run that does it.
 *
 * @param read - makes what is kept of the options; it complains of them under the name that it is given.
 * @throws {@link InvalidTaskError} for a second decorator of a policy that a method can have once; and what `read` throws.
 * @internal
 */
export function declarePolicy(
  policy: Policy,
  interceptor: Type<NestInterceptor>,
  read: (name: string) => object,
): MethodDecorator {
  return (target, method, descriptor) => {
    const handler = descriptor.value as unknown;
    const decorator = DECORATORS[policy];
    const place = `${typeof target === 'function' ? target.name : target.constructor.name}.${String(method)}`;
    if (typeof handler !== 'function' || typeof target === 'function') {
      throw new InvalidTaskError(place, `has ${decorator} and is no method of the instances`, 'Move it to one');
    }
    const others = policyOf(policy, handler);
    if (others.length > 0 && policy !== 'limit') {
      throw new InvalidTaskError(place, `has more than one ${decorator}`, 'Keep one of them');
    }
    // Another decorator may have put a function without a name into its place.
    Reflect.defineMetadata(METHOD, String(method), handler);
    // Decorators are applied from the last to the first.
    Reflect.defineMetadata(KEYS[policy], [read(`${decorator} on ${place}`), ...others], handler);
    if (others.length > 0) return;
    UseInterceptors(interceptor)(target, method, descriptor);
    const interceptors = Reflect.getMetadata(INTERCEPTORS, handler) as unknown[];
    Reflect.defineMetadata(INTERCEPTORS, inFixedOrder(interceptors), handler);
  };
}

/** What an HTTP handler is known by: its class, and its method there. @internal */
export function nameOfHandler(type: { readonly name: string }, handler: { readonly name: string }): string {
  return `${type.name}.${(Reflect.getMetadata(METHOD, handler) as string | undefined) ?? handler.name}`;
}

/** What the decorators of a policy were given, the uppermost first. @internal */
export function policyOf<Options extends object>(policy: Policy, handler: object): readonly Options[] {
  return (Reflect.getMetadata(KEYS[policy], handler) as readonly Options[] | undefined) ?? [];
}

/** The policies of a method, by the names of their decorators. @internal */
export function policyDecoratorsOf(handler: object): string[] {
  return POLICIES.filter((policy) => policyOf(policy, handler).length > 0).map((policy) => DECORATORS[policy]);
}

/** Those of policies first, in their order; all others after them, as they are. Instances or classes. @internal */
export function inFixedOrder<Interceptor>(interceptors: readonly Interceptor[]): Interceptor[] {
  const first = POLICIES.flatMap((policy) => interceptors.filter((each) => enforcedBy(each) === policy));
  return [...first, ...interceptors.filter((each) => enforcedBy(each) === undefined)];
}

/** Which policy an interceptor enforces, an instance or a class; undefined for those of the user's. @internal */
export function enforcedBy(interceptor: unknown): Policy | undefined {
  const type: unknown = typeof interceptor === 'function' ? interceptor : (interceptor as object | null)?.constructor;
  return typeof type === 'function' ? (Reflect.getMetadata(ENFORCES, type) as Policy | undefined) : undefined;
}
