import type { Type } from '@nestjs/common';
import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import type { ProviderWrapper } from './task-definition.js';

/** Of the class where there is one: a request-scoped provider has no instance at boot. @internal */
export function prototypeOf(provider: ProviderWrapper): object | undefined {
  const instance: unknown = provider.instance;
  if (typeof instance === 'object' && instance !== null)
    return prototypeWithConstructor(Object.getPrototypeOf(instance));
  return prototypeWithConstructor((provider.metatype as { prototype?: unknown } | null)?.prototype);
}

function prototypeWithConstructor(prototype: unknown): object | undefined {
  if (typeof prototype !== 'object' || prototype === null || prototype === Object.prototype) return undefined;
  return typeof prototype.constructor === 'function' ? prototype : undefined;
}

/** A transient provider's own instance is made without its dependencies. @internal */
export function isStatic(provider: ProviderWrapper): boolean {
  return provider.isDependencyTreeStatic() && !provider.isTransient;
}

/** @param request - what `REQUEST` is in request scope. @internal */
export async function resolveFor(
  provider: ProviderWrapper,
  request: object,
): Promise<{ instance: object; contextId: { id: number } }> {
  const hostModule = provider.host?.getProviderByKey(ModuleRef).instance as ModuleRef;
  const contextId = ContextIdFactory.getByRequest(request);
  hostModule.registerRequestByContextId(provider.isDependencyTreeDurable() ? contextId.payload : request, contextId);
  const instance = await hostModule.resolve<object>(provider.token as Type<object>, contextId, { strict: true });
  return { instance, contextId };
}
