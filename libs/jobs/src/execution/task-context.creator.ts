import { Injectable, type Type } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import { JobLimits } from '../limits/job-limits.js';
import { PARAMETER_TYPES, PARAMETERS_METADATA } from '../task/payload.decorator.js';
import { parsePayload, parseResult } from '../task/schema-check.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { withControlRecord } from './control-record.js';
import { JOBS_CONTEXT_TYPE } from './execution-context.js';
import { globalEnhancersOf } from './global-enhancers.js';
import type { JobContext } from './job-context.js';
import { withFewerPromises } from './lean-contexts.js';
import { withNamedGuards } from './named-guards.js';
import { withPoliciesFirst } from './policies-first.js';

/** Runs the method behind a task through Nest's guards, interceptors, pipes and filters. @internal */
export type TaskHandler = (payload: unknown, context: JobContext) => Promise<unknown>;

type Method = (...args: unknown[]) => unknown;

/** What Nest asks for the values of the parameters, after the interceptors and before the pipes. */
interface Parameters {
  exchangeKeyForValue(type: number, key: unknown, args: unknown[]): unknown;
}

const PARAMETERS: Parameters = {
  exchangeKeyForValue(type, _key, [payload, context]) {
    if (type === PARAMETER_TYPES.payload) return payload;
    return type === PARAMETER_TYPES.context ? context : null;
  },
};

/** The one place that touches Nest's ExternalContextCreator. @internal */
@Injectable()
export class TaskContextCreator {
  private readonly external: ExternalContextCreator;

  constructor(external: ExternalContextCreator, limits: JobLimits) {
    const inner = withFewerPromises(withNamedGuards(withControlRecord(external)));
    this.external = withPoliciesFirst(inner, limits.ofQueues());
  }

  create(task: TaskDefinition): TaskHandler {
    const handler = this.throughNest(task);
    const { name, output } = task;
    if (!output) return handler;
    return async (payload, context) => {
      const result = await handler(payload, context);
      return context.gate.isResultChecked ? result : parseResult(name, output, result);
    };
  }

  /** The global enhancers that every task runs through, as in `guard SessionGuard`. */
  globalEnhancers(): string[] {
    return globalEnhancersOf(this.external);
  }

  /** A static provider's handler is made once; one of a request-scoped tree is resolved anew for each job. */
  private throughNest(task: TaskDefinition): TaskHandler {
    const { provider, method } = task;
    const parameters = parametersOf(task);
    // A transient provider's own instance is made without its dependencies.
    if (provider.isDependencyTreeStatic() && !provider.isTransient)
      return this.wrap(provider.instance as object, method, parameters);
    const isDurable = provider.isDependencyTreeDurable();
    const hostModule = provider.host?.getProviderByKey(ModuleRef).instance as ModuleRef;
    return async (payload, context) => {
      const contextId = ContextIdFactory.getByRequest(context);
      hostModule.registerRequestByContextId(isDurable ? contextId.payload : context, contextId);
      const instance = await hostModule.resolve<object>(provider.token as Type<object>, contextId, { strict: true });
      return this.wrap(instance, method, parameters, contextId, provider.id)(payload, context);
    };
  }

  private wrap(
    instance: object,
    method: string,
    parameters: Parameters,
    contextId?: { id: number },
    inquirerId?: string,
  ): TaskHandler {
    return this.external.create(
      instance,
      // The prototype's own function, not a bound copy: enhancers compare getHandler() by identity.
      (Object.getPrototypeOf(instance) as Record<string, Method>)[method]!,
      method,
      PARAMETERS_METADATA,
      parameters,
      contextId,
      inquirerId,
      undefined,
      JOBS_CONTEXT_TYPE,
    ) as TaskHandler;
  }
}

/**
 * The schema makes the value that the pipes get, and is no pipe itself: those of a parameter would come after all other
 * pipes, and a schema in Nest's own metadata would be applied once more by a global StandardSchemaValidationPipe.
 */
function parametersOf({ name, input }: TaskDefinition): Parameters {
  if (!input) return PARAMETERS;
  return {
    exchangeKeyForValue(type, key, args) {
      if (type === PARAMETER_TYPES.payload) return parsePayload(name, input, args[0]);
      return PARAMETERS.exchangeKeyForValue(type, key, args);
    },
  };
}
