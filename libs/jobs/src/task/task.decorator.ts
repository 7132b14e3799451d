import type { Observable } from 'rxjs';
import { describeParameters } from './payload.decorator.js';
import { assertSchema, type OutputOf, type StandardSchemaV1 } from './standard-schema.js';
import type { TaskContract } from './task-contract.js';
import { IS_SCHEDULED, writeTask, type TaskMetadata } from './task-metadata.js';
import { assertInstanceMethod, markAsEntry, nameOfPlace } from './task-method.js';
import type { ContractTaskOptions, TaskOptions } from './task-options.js';
import { InvalidTaskError } from './task.errors.js';

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
  assertInstanceMethod(target, method, descriptor, InvalidTaskError);
  writeTask(descriptor.value, metadata, nameOfPlace(target, method));
  describeParameters(target, method);
  markAsEntry(target);
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
  assertInstanceMethod(target, method, descriptor, InvalidTaskError);
  Reflect.defineMetadata(IS_SCHEDULED, true, descriptor.value);
  describeParameters(target, method);
  markAsEntry(target);
  return descriptor.value;
}

function isContract(value: TaskOptions | TaskContract): value is TaskContract {
  return 'isContract' in value;
}
