import { NotATaskError } from './task.errors.js';
import { readTaskOptions } from './task-metadata.js';
import type { TaskOptions } from './task.decorator.js';

/** A class of task methods, whatever its constructor takes. */
export type TaskHost<T extends object = object> = abstract new (...args: never[]) => T;

/** What a task method takes first; `undefined` for a task without payload. */
export type PayloadOf<Method> = Method extends (...args: infer Args) => unknown ? FirstOf<Args> : never;

type FirstOf<Args extends unknown[]> = Args extends []
  ? undefined
  : Args extends [infer Payload, ...unknown[]]
    ? Payload
    : Args extends [(infer Payload)?, ...unknown[]]
      ? Payload | undefined
      : never;

/** What can be read back of a task method's result: JSON has no `undefined`. */
export type ResultOf<Method> = Method extends (...args: never[]) => infer Returned
  ? Awaited<Returned> extends infer Result
    ? [Result] extends [void]
      ? null
      : Result
    : never
  : never;

/**
 * A task as producers name it: it knows what its jobs take and give.
 *
 * @publicApi
 */
export interface TaskRef<in Payload = never, out Result = unknown> {
  /** The name under which its jobs are stored. */
  readonly name: string;
  /** @internal */
  readonly options: TaskOptions;
  /** Types only; never there at run time. */
  readonly __types?: (payload: Payload) => Result;
}

type MethodNames<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T] & string;

/**
 * Names the task behind a method, typed from it.
 *
 * @throws {@link NotATaskError} when the method has no `@Task`.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { JobsService, Task, task } from 'nestjs-jobs';
 *
 * @Injectable()
 * class Mails {
 *   @Task()
 *   async greet(payload: { name: string }): Promise<string> {
 *     return `Hello ${payload.name}`;
 *   }
 * }
 *
 * async function greetLater(jobs: JobsService): Promise<string> {
 *   const job = await jobs.enqueue(task(Mails, 'greet'), { name: 'Ada' });
 *   return await job.result({ timeout: '10s' });
 * }
 * ```
 *
 * @publicApi
 */
export function task<T extends object, M extends MethodNames<T>>(
  host: TaskHost<T>,
  method: M,
): TaskRef<PayloadOf<T[M]>, ResultOf<T[M]>> {
  const options = readTaskOptions(host.prototype as object, method);
  if (!options) throw new NotATaskError(host.name, method);
  return { name: options.name ?? defaultTaskName(host.name, method), options };
}

/** @internal */
export function defaultTaskName(className: string, method: string): string {
  return `${className}.${method}`;
}
