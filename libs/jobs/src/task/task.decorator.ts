import { SetMetadata } from '@nestjs/common';
import type { RetryPolicy } from '../retry/retry-policy.js';
import { describeParameters } from './payload.decorator.js';
import { InvalidTaskError } from './task.errors.js';

/** Read by every copy of the library that an app may have installed, hence a string. @internal */
export const TASK_METADATA = 'nestjs-jobs:task';

/** Options of {@link Task}. @publicApi */
export interface TaskOptions {
  /** The name under which jobs of this task are stored, stable over refactorings. @default 'ClassName.method' */
  name?: string;
  /** The declared queue that its jobs go to. @default the module's `defaultQueue` */
  queue?: string;
  /** How a failed attempt is tried again. @default the module's `defaults.retry` */
  retry?: RetryPolicy;
}

/**
 * Makes a provider's method a task: work that is enqueued and runs in the background, in this process or another one.
 *
 * The method takes the payload, one JSON value, and the {@link JobContext}; what it returns, also JSON, is the job's
 * result. It runs at least once for each enqueued job, through Nest's guards, interceptors, pipes and filters. An
 * exception ends the attempt, and the retry policy decides whether another one follows.
 *
 * The idea is Celery's `@app.task`, on an ordinary Nest provider.
 *
 * @throws {@link InvalidTaskError} on a static method and on one that a symbol names.
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
export function Task(options: TaskOptions = {}): MethodDecorator {
  return (target, method, descriptor) => {
    assertInstanceMethod(target, method);
    describeParameters(target, method);
    SetMetadata(TASK_METADATA, options)(target, method, descriptor);
  };
}

function assertInstanceMethod(target: object, method: string | symbol): void {
  if (typeof target === 'function') {
    throw new InvalidTaskError(`${target.name}.${String(method)}`, 'is static', 'Make it a method of the instances');
  }
  if (typeof method === 'symbol') {
    throw new InvalidTaskError(
      `${target.constructor.name}[${String(method)}]`,
      'is named by a symbol',
      'Give the method a name that is a string',
    );
  }
}
