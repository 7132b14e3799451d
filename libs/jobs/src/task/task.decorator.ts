import type { Observable } from 'rxjs';
import { describeParameters } from './payload.decorator.js';
import { assertSchema, type OutputOf, type StandardSchemaV1 } from './standard-schema.js';
import type { TaskContract } from './task-contract.js';
import { IS_SCHEDULED, writeTask, type TaskMetadata } from './task-metadata.js';
import type { ContractTaskOptions, TaskOptions } from './task-options.js';
import { InvalidTaskError } from './task.errors.js';

/**
 * By this Nest knows classes that are called from outside, as it knows controllers. Only to those does it give global
 * enhancers in request scope, which would be passed over else, and transient ones with their dependencies. The literal,
 * because Nest 11 exports the constant nowhere.
 */
const ENTRY_PROVIDER = '__entryProvider__';

/**
 * Decorates a method that takes a `Received` first and returns a `Returned`, at once, as a Promise or as an Observable.
 * On another method it does not compile.
 *
 * @publicApi
 */
export type TaskMethodDecorator<Received, Returned> = <
  Method extends (payload: Received, ...rest: never[]) => Returned | Promise<Returned> | Observable<Returned>,
>(
  target: object,
  method: string,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/**
 * Makes a provider's method a task: work that is enqueued and runs in the background, in this process or another one.
 *
 * The method takes the payload, one JSON value, and the {@link JobContext}; what it returns, also JSON, is the job's
 * result. It runs at least once for each enqueued job, through Nest's guards, interceptors, pipes and filters. An
 * exception ends the attempt, and the retry policy decides whether another one follows.
 *
 * The idea is Celery's `@app.task`, on an ordinary Nest provider.
 *
 * With a `schema`, the method must take what the schema makes of a payload; with a {@link taskContract}, also return what
 * the contract says. The producers' types of a schema that transforms (a string to a Date) come from a contract only:
 * those of `task(Class, 'method')` come from the method.
 *
 * @throws {@link InvalidTaskError} on what is no instance method with a name, and for a schema that is no Standard Schema.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { type JobContext, Task } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Reports {
 *   @Task({ name: 'reports.generate', retry: { attempts: 5, delay: '2s' } })
 *   async generate(payload: { reportId: string }, job: JobContext): Promise<{ pages: number }> {
 *     await job.progress(50);
 *     return { pages: payload.reportId.length };
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function Task<Received, Returned>(
  contract: TaskContract<never, unknown, Received, Returned>,
  options?: ContractTaskOptions,
): TaskMethodDecorator<Received, Returned>;
export function Task<Schema extends StandardSchemaV1>(
  options: Omit<TaskOptions, 'schema'> & { schema: Schema },
): TaskMethodDecorator<OutputOf<Schema>, unknown>;
export function Task(options?: TaskOptions): MethodDecorator;
export function Task(first: TaskOptions | TaskContract = {}, options: ContractTaskOptions = {}): MethodDecorator {
  return (target, method, descriptor) => {
    if (isContract(first)) return declareTask(target, method, descriptor, { options, contract: first });
    if (first.schema !== undefined) assertSchema(first.schema, `${nameOfPlace(target, method)} has a schema`);
    declareTask(target, method, descriptor, { options: first });
  };
}

/**
 * What every decorator does that makes a method run as a job.
 *
 * @throws {@link InvalidTaskError} on what is no instance method with a name.
 * @internal
 */
export function declareTask(
  target: object,
  method: string | symbol,
  descriptor: { readonly value?: unknown } | undefined,
  metadata: TaskMetadata,
): void {
  assertInstanceMethod(target, method, descriptor);
  writeTask(descriptor.value, metadata, nameOfPlace(target, method));
  describeParameters(target, method);
  Reflect.defineMetadata(ENTRY_PROVIDER, true, target.constructor);
}

/**
 * A method that is a task because something fires it: one without `@Task` has the options that a task has by default.
 *
 * @internal
 */
export function declareScheduledTask(
  target: object,
  method: string | symbol,
  descriptor: { readonly value?: unknown } | undefined,
): object {
  assertInstanceMethod(target, method, descriptor);
  Reflect.defineMetadata(IS_SCHEDULED, true, descriptor.value);
  describeParameters(target, method);
  Reflect.defineMetadata(ENTRY_PROVIDER, true, target.constructor);
  return descriptor.value;
}

function isContract(value: TaskOptions | TaskContract): value is TaskContract {
  return 'isContract' in value;
}

/** For messages. @internal */
export function nameOfPlace(target: object, method: string | symbol): string {
  if (typeof target === 'function') return `${target.name}.${String(method)}`;
  const { name } = target.constructor;
  return typeof method === 'symbol' ? `${name}[${String(method)}]` : `${name}.${method}`;
}

function assertInstanceMethod(
  target: object,
  method: string | symbol,
  descriptor: { readonly value?: unknown } | undefined,
): asserts descriptor is { readonly value: object } {
  const place = nameOfPlace(target, method);
  if (typeof target === 'function') {
    throw new InvalidTaskError(place, 'is static', 'Make it a method of the instances');
  }
  if (typeof method === 'symbol') {
    throw new InvalidTaskError(place, 'is named by a symbol', 'Give the method a name that is a string');
  }
  if (typeof descriptor?.value !== 'function') {
    throw new InvalidTaskError(place, 'is a getter or a property', 'Make it a method: a job calls it with its payload');
  }
}
