import { Injectable, type Type } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import { PARAMETER_TYPES, PARAMETERS_METADATA } from '../task/payload.decorator.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { JOBS_CONTEXT_TYPE } from './execution-context.js';
import type { JobContext } from './job-context.js';

/** Runs the method behind a task through Nest's guards, interceptors, pipes and filters. @internal */
export type TaskHandler = (payload: unknown, context: JobContext) => Promise<unknown>;

type Method = (...args: unknown[]) => unknown;

const PARAMETERS = {
  exchangeKeyForValue(type: number, _key: unknown, [payload, context]: unknown[]): unknown {
    if (type === PARAMETER_TYPES.payload) return payload;
    return type === PARAMETER_TYPES.context ? context : null;
  },
};

/** The one place that touches Nest's ExternalContextCreator. @internal */
@Injectable()
export class TaskContextCreator {
  constructor(private readonly external: ExternalContextCreator) {}

  /** A static provider's handler is made once; one of a request-scoped tree is resolved anew for each job. */
  create(task: TaskDefinition): TaskHandler {
    const { provider, method } = task;
    // A transient provider's own instance is made without its dependencies.
    if (provider.isDependencyTreeStatic() && !provider.isTransient)
      return this.wrap(provider.instance as object, method);
    const hostModule = provider.host?.getProviderByKey(ModuleRef).instance as ModuleRef;
    return async (payload, context) => {
      const contextId = ContextIdFactory.getByRequest(context);
      hostModule.registerRequestByContextId(contextId.getParent ? contextId.payload : context, contextId);
      const instance = await hostModule.resolve<object>(provider.token as Type<object>, contextId, { strict: true });
      return this.wrap(instance, method, contextId, provider.id)(payload, context);
    };
  }

  private wrap(instance: object, method: string, contextId?: { id: number }, inquirerId?: string): TaskHandler {
    return this.external.create(
      instance,
      // The prototype's own function, not a bound copy: enhancers compare getHandler() by identity.
      (Object.getPrototypeOf(instance) as Record<string, Method>)[method]!,
      method,
      PARAMETERS_METADATA,
      PARAMETERS,
      contextId,
      inquirerId,
      undefined,
      JOBS_CONTEXT_TYPE,
    ) as TaskHandler;
  }
}
