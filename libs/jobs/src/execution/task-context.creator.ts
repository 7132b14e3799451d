import { Injectable, Logger } from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { JobLimits } from '../limits/job-limits.js';
import { ScheduleTurns } from '../schedule/schedule-turns.js';
import { PARAMETER_TYPES, PARAMETERS_METADATA } from '../task/payload.decorator.js';
import { parsePayload, parseResult } from '../task/schema-check.js';
import { isStatic, resolveFor } from '../task/provider-instance.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { withControlRecord } from './control-record.js';
import { JOBS_CONTEXT_TYPE } from './execution-context.js';
import { globalEnhancersOf } from './global-enhancers.js';
import type { JobContext } from './job-context.js';
import { withFewerPromises } from './lean-contexts.js';
import { withNamedGuards } from './named-guards.js';
import { underPolicies, withPoliciesFirst, type TaskPolicy } from './policies-first.js';

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
  private readonly ofQueues: readonly TaskPolicy[];
  private readonly schedulerLogger = new Logger('Scheduler');

  constructor(external: ExternalContextCreator, limits: JobLimits, turns: ScheduleTurns) {
    const inner = withFewerPromises(withNamedGuards(withControlRecord(external)));
    const ofQueues = limits.ofQueues();
    this.ofQueues = ofQueues ? [ofQueues] : [];
    this.external = withPoliciesFirst(inner, ofQueues, (job) => turns.of(job));
  }

  create(task: TaskDefinition): TaskHandler {
    if (task.isAdopted) return this.asAdopted(task);
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
    if (isStatic(provider)) return this.wrap(provider.instance as object, method, parameters);
    return async (payload, context) => {
      const { instance, contextId } = await resolveFor(provider, context);
      return this.wrap(instance, method, parameters, contextId, provider.id)(payload, context);
    };
  }

  /** What was written for @nestjs/schedule may take no payload for its parameters, nor expects guards. */
  private asAdopted({ provider, method }: TaskDefinition): TaskHandler {
    return (payload, context) =>
      underPolicies(this.ofQueues, payload, context, async () => {
        const instance = isStatic(provider) ? provider.instance : (await resolveFor(provider, context)).instance;
        try {
          await (instance as Record<string, Method>)[method]!();
        } catch (error) {
          // Where @nestjs/schedule says it.
          this.schedulerLogger.error(error);
          throw error;
        }
      });
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
