import type { Observable } from 'rxjs';
import type { JsonSafe, Jsonify } from './json-types.js';
import { NotATaskError } from './task.errors.js';
import { readTask } from './task-metadata.js';
import type { TaskOptions } from './task-options.js';

/** A class of task methods, whatever its constructor takes. */
export type TaskHost<T extends object = object> = abstract new (...args: never[]) => T;

/** What can be enqueued for a task method: its first parameter, as JSON; `undefined` for a task without payload. */
export type PayloadOf<Method> = Method extends (...args: infer Args) => unknown ? JsonSafe<FirstOf<Args>> : never;

type FirstOf<Args extends unknown[]> = Args extends []
  ? undefined
  : Args extends [infer Payload, ...unknown[]]
    ? Payload
    : Args extends [(infer Payload)?, ...unknown[]]
      ? Payload | undefined
      : never;

/** What can be read back of a task method's result, also of one that returns a Promise or an Observable. */
export type ResultOf<Method> = Method extends (...args: never[]) => infer Returned ? Jsonify<Settled<Returned>> : never;

type Settled<Returned> = Awaited<Returned> extends Observable<infer Value> ? Value : Awaited<Returned>;

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

/** A class and its decorators do not change any more, and `task()` is called for every job. */
const known = new WeakMap<object, Map<string, TaskRef>>();

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
  let refs = known.get(host);
  if (!refs) known.set(host, (refs = new Map()));
  let ref = refs.get(method);
  if (!ref) refs.set(method, (ref = refTo(host, method)));
  return ref as TaskRef<PayloadOf<T[M]>, ResultOf<T[M]>>;
}

function refTo(host: TaskHost, method: string): TaskRef {
  const declared = readTask(host.prototype as object, method);
  if (!declared) throw new NotATaskError(host.name, method);
  if (declared.failures) throw new NotATaskError(host.name, method, 'It has @OnFailure: only failures give it jobs');
  const options = declared.enqueued;
  return Object.freeze({ name: options.name ?? defaultTaskName(host.name, method), options });
}

/** @internal */
export function defaultTaskName(className: string, method: string): string {
  return `${className}.${method}`;
}
