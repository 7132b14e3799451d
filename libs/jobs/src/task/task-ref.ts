import { signable, type SignableTask } from '../canvas/task-signing.js';
import { NotATaskError } from './task.errors.js';
import { readTask } from './task-metadata.js';
import type { PayloadOf, ResultOf, TaskHost } from './task-reference.js';

export type { PayloadOf, ResultOf, TaskHost, TaskRef } from './task-reference.js';

type MethodNames<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T] & string;

/** A class and its decorators do not change any more, and `task()` is called for every job. */
const known = new WeakMap<object, Map<string, SignableTask<never, unknown>>>();

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
): SignableTask<PayloadOf<T[M]>, ResultOf<T[M]>> {
  let refs = known.get(host);
  if (!refs) known.set(host, (refs = new Map()));
  let ref = refs.get(method);
  if (!ref) refs.set(method, (ref = refTo(host, method)));
  return ref as unknown as SignableTask<PayloadOf<T[M]>, ResultOf<T[M]>>;
}

function refTo(host: TaskHost, method: string): SignableTask<never, unknown> {
  const declared = readTask(host.prototype as object, method);
  if (!declared) throw new NotATaskError(host.name, method);
  if (declared.failures) throw new NotATaskError(host.name, method, 'It has @OnFailure: only failures give it jobs');
  const options = declared.enqueued;
  return signable({ name: options.name ?? defaultTaskName(host.name, method), options });
}

/** @internal */
export function defaultTaskName(className: string, method: string): string {
  return `${className}.${method}`;
}
