import { Inject, Injectable, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { policyDecoratorsOf } from './method-policies.js';
import { nestDecoratorOf, nestScheduleOf } from './nest-schedule-metadata.js';
import { prototypeOf } from './provider-instance.js';
import type { TaskDefinition, ProviderWrapper } from './task-definition.js';
import { readTask } from './task-metadata.js';
import { TASK_NAME, TASK_NAME_RULE } from './task-options.js';
import { assertParameters } from './task-parameters.js';
import { defaultTaskName } from './task-ref.js';
import { InvalidTaskError } from './task.errors.js';
import { TaskSettings } from './task.settings.js';

/** Nest's mark of a method that answers HTTP requests, which Nest 11 exports nowhere. */
const PATH = 'path';
const SSE = '__sse__';
const ROUTE_ARGUMENTS = '__routeArguments__';
const PASSTHROUGH = '__responsePassthrough__';
/** How Nest's keys of `@Res()` begin. */
const RESPONSE = '1:';
/** What does the same for any code. */
const SERVICES: Readonly<Record<string, string>> = {
  '@RateLimited': 'jobs.limits.consume()',
  '@Locked': 'jobs.locks.withLock()',
  '@Idempotent': 'a job, whose task has it,',
};

/** Finds the tasks among an app's providers. It returns data and starts nothing. @internal */
@Injectable()
export class TaskExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly settings: TaskSettings,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  explore(): TaskDefinition[] {
    const handlers = new Map<string, object>();
    for (const controller of this.discovery.getControllers()) {
      this.refuseOnController(controller);
      this.assertPolicies(controller, (handler, method) => {
        assertHandler(controller, handler, method, handlers);
        return Reflect.hasMetadata(PATH, handler);
      });
    }
    return this.discovery.getProviders().flatMap((provider) => {
      const tasks = this.tasksOf(provider);
      this.assertPolicies(provider, (_handler, name) => tasks.some(({ method }) => method === name));
      return tasks;
    });
  }

  private tasksOf(provider: ProviderWrapper): TaskDefinition[] {
    const prototype = prototypeOf(provider);
    if (!prototype || provider.isAlias) return [];
    return this.taskMethods(prototype).map(([method, { run: options, output, hasContract, failures }]) => {
      const className = prototype.constructor.name;
      const place = `${className}.${method} in ${provider.host?.name ?? 'an unknown module'}`;
      if (className === '' && !options.name) {
        throw new InvalidTaskError(
          place,
          'is a task without a name on a class without one',
          "Name it: @Task({ name: '...' })",
        );
      }
      this.refuseNestSchedule(prototype, method, place);
      assertParameters(prototype, method, place);
      const name = options.name ?? defaultTaskName(className, method);
      // One that was given is checked with the other options.
      if (options.name === undefined && !TASK_NAME.test(name)) {
        const fix = `Name it, @Task({ name: '...' }), with ${TASK_NAME_RULE}`;
        throw new InvalidTaskError(place, 'has by its class and method no name that a task can have', fix);
      }
      const resolved = this.settings.resolve(options, place, name, failures ? '@OnFailure' : '@Task');
      const source = { provider, prototype, method, place, hasContract, failures };
      return Object.freeze({ name, ...resolved, input: options.schema, output, ...source });
    });
  }

  /** It would run in every process, with no job: once more than what the task says. */
  private refuseNestSchedule(prototype: object, method: string, place: string): void {
    const schedule = nestScheduleOf((prototype as Record<string, unknown>)[method]);
    if (!schedule || this.options.adoptNestSchedule) return;
    const decorator = nestDecoratorOf(schedule);
    throw new InvalidTaskError(
      place,
      `is a task and has ${decorator} of @nestjs/schedule, which calls it in every process and not as a job`,
      schedule.kind === 'timeout'
        ? 'Set adoptNestSchedule: true in JobsModule.forRoot()'
        : `Take ${schedule.kind === 'cron' ? '@Cron' : '@Every'} of nestjs-jobs, or set adoptNestSchedule: true in JobsModule.forRoot()`,
    );
  }

  private refuseOnController(controller: ProviderWrapper): void {
    const prototype = prototypeOf(controller);
    const found = prototype && this.taskMethods(prototype)[0];
    if (!found) return;
    throw new InvalidTaskError(
      `${prototype.constructor.name}.${found[0]}`,
      'is a task on a controller',
      'Move the method to a provider, and enqueue it from the controller',
    );
  }

  /** Elsewhere Nest would not call the interceptors, and the method would run as if nothing had been said. */
  private assertPolicies(provider: ProviderWrapper, isIntercepted: (handler: object, method: string) => boolean): void {
    const prototype = prototypeOf(provider);
    if (!prototype || provider.isAlias) return;
    for (const method of this.scanner.getAllMethodNames(prototype)) {
      const handler = (prototype as Record<string, unknown>)[method];
      const decorator = typeof handler === 'function' && policyDecoratorsOf(handler)[0];
      if (!decorator || isIntercepted(handler, method)) continue;
      throw new InvalidTaskError(
        `${prototype.constructor.name}.${method}`,
        `has ${decorator}, and is neither a task nor an HTTP handler`,
        `Put @Task() on it, or use ${SERVICES[decorator]} in it`,
      );
    }
  }

  private taskMethods(prototype: object) {
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const declared = readTask(prototype, method);
      return declared ? [[method, declared] as const] : [];
    });
  }
}

/** What a policy cannot be kept for, since Nest or the handler answers in another way. */
function assertHandler(
  { metatype }: ProviderWrapper,
  handler: object,
  method: string,
  known: Map<string, object>,
): void {
  const type = metatype as Type;
  const place = `${type.name}.${method}`;
  const decorators = policyDecoratorsOf(handler);
  const decorator = decorators.at(-1)!;
  const parameters = (Reflect.getMetadata(ROUTE_ARGUMENTS, type, method) ?? {}) as Record<string, unknown>;
  const answersItself = Object.keys(parameters).some((key) => key.startsWith(RESPONSE));
  if (decorator === '@Idempotent' && answersItself && !Reflect.getMetadata(PASSTHROUGH, type, method)) {
    const fix = 'Return the answer, or take @Res({ passthrough: true })';
    throw new InvalidTaskError(place, `has ${decorator} and answers by @Res()`, fix);
  }
  if (decorator !== '@RateLimited' && Reflect.hasMetadata(SSE, handler)) {
    throw new InvalidTaskError(
      place,
      `has ${decorator} and answers by @Sse(), which has no end`,
      `Leave out ${decorator}`,
    );
  }
  const other = known.get(place);
  if (other && other !== type) {
    const fix = 'Their keys and limits would be the same: rename one of the classes';
    throw new InvalidTaskError(place, `has ${decorator}, and so has another controller of this name`, fix);
  }
  known.set(place, type);
}
