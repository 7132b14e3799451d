import { isClass } from '../retry/error-match.js';
import { declareTask, type TaskMethodDecorator } from '../task/task.decorator.js';
import { nameOfPlace } from '../task/task-method.js';
import type { TaskOptions } from '../task/task-options.js';
import { patternOfTask } from '../task/task-selection.js';
import type { TaskRef } from '../task/task-ref.js';
import { InvalidTaskError } from '../task/task.errors.js';
import type { FailureRule } from './failure-rule.js';
import type { JobFailure } from './job-failure.js';

/** Tasks of which failures are handled: what {@link task} or {@link taskContract} gives, or a pattern like `'mail.*'`. */
export type FailingTask = TaskRef | string;
/** Errors that are handled: a class (with those that extend it), or the name of an error or of a class of errors. */
export type HandledError = (abstract new (...args: never[]) => unknown) | string;

/** Which failures an {@link OnFailure} handler is for. What is left out narrows nothing. @publicApi */
export interface OnFailureFilter<Tasks extends readonly FailingTask[] = readonly FailingTask[]> {
  /** The tasks whose failures are meant. In a pattern `*` stands for any characters, `?` for one. @default all */
  tasks?: Tasks;
  /**
   * The errors that are meant, by their names: a class stands for its name, since the job may fail in a process that has
   * another copy of the class, or none. An error fits by its own name and by those of its class and the ones it extends.
   *
   * @default all
   */
  errors?: readonly HandledError[];
}

/**
 * The task options of an {@link OnFailure} handler. What it leaves open its queue and the module decide, but for
 * `expiresIn`: a failure waits for its handler for ever, unless the handler itself says how long.
 *
 * @publicApi
 */
export type OnFailureOptions = Omit<TaskOptions, 'schema'>;

/** What the jobs of these tasks are enqueued with; unknown when a pattern is among them. */
export type PayloadOfTasks<Tasks extends readonly FailingTask[]> = number extends Tasks['length']
  ? unknown
  : Tasks[number] extends infer One
    ? One extends TaskRef<infer Payload, unknown>
      ? Payload
      : unknown
    : never;

/**
 * Makes a provider's method the handler of failures: it gets a job of its own for each job that ended `failed`, with the
 * {@link JobFailure} as its payload.
 *
 * There is exactly one handler job for each final failure and handler, however the job failed: it threw, it ran out of
 * time, its process died too often, or nobody knew its task. The handler job is stored before the failure is, so no crash
 * loses it, and it waits until its job has really ended so; when that was saved by another run after a crash, the handler
 * job ends as skipped. When that run failed with another error, the handler is told this one, also if its `errors` has
 * only the first. A store that refuses handler jobs, like a Redis whose memory is full, is asked again for 10 minutes, in
 * which the failed job counts as running.
 *
 * Like every task the handler runs **at least** once, through enhancers and with retries by its options; when it fails
 * itself it ends as a dead letter, for which no handler is called. A job that was cancelled has not failed.
 *
 * It need not be known to the process in which a job fails: handlers are announced to the whole fleet while an app with
 * them runs, and remembered for `results.keepFailedFor` (7 days) after that, at least for 5 minutes. One whose code is
 * gone is forgotten as soon as one of its jobs has found no worker with it for `unknownTaskGrace` (1 h).
 *
 * The handler's job has the id `<queue>_failure-<id of the failed job>-<name of the handler>`, hashed when that is too long,
 * and inherits headers and `rootId` of the failed one.
 *
 * The idea is Celery's `task_failure` signal and `link_error`, made durable.
 *
 * @param filter - which failures; all without it. With refs for `tasks`, the method must take their payloads.
 * @param options - those of a {@link Task}: name, queue, retry, time limit.
 * @throws {@link InvalidTaskError} on what is no instance method with a name, and on a filter that says nothing.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { type JobFailure, OnFailure, Task, task } from 'nestjs-jobs';
 *
 * @Injectable()
 * class Payments {
 *   @Task({ name: 'payments.charge' })
 *   async charge(payload: { orderId: string }): Promise<void> {
 *     throw new Error(`No answer for ${payload.orderId}`);
 *   }
 * }
 *
 * @Injectable()
 * export class Support {
 *   @OnFailure({ tasks: [task(Payments, 'charge')] }, { retry: { attempts: 10 } })
 *   async refund({ id, payload, error }: JobFailure<{ orderId: string }>): Promise<void> {
 *     console.log(`Job ${id}: order ${payload.orderId} was not charged: ${error.message}`);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function OnFailure<const Tasks extends readonly FailingTask[] = readonly FailingTask[]>(
  filter: OnFailureFilter<Tasks> = {},
  options: OnFailureOptions = {},
): TaskMethodDecorator<JobFailure<PayloadOfTasks<Tasks>>, unknown> {
  return ((target: object, method: string | symbol, descriptor: PropertyDescriptor | undefined) => {
    const failures = ruleOf(filter, nameOfPlace(target, method));
    declareTask(target, method, descriptor, { options, failures });
  }) as TaskMethodDecorator<JobFailure<PayloadOfTasks<Tasks>>, unknown>;
}

const KEYS = ['tasks', 'errors'];

function ruleOf(filter: OnFailureFilter, place: string): FailureRule {
  const given: unknown = filter;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid(place, 'a filter that is no object', '@OnFailure({ tasks: [...], errors: [...] })');
  }
  const unknown = Object.keys(filter).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    const fix = `the filter knows ${KEYS.join(' and ')}; options of the handler's own job are the second argument`;
    throw invalid(place, `the unknown key "${unknown}" in its filter`, fix);
  }
  return {
    tasks: listOf(
      filter.tasks,
      patternOfTask,
      place,
      'tasks',
      "what task(Class, 'method') gives, or patterns like 'mail.*'",
    ),
    errors: listOf(filter.errors, nameOf, place, 'errors', 'classes of errors, or names of errors'),
  };
}

function listOf<T>(
  given: readonly T[] | undefined,
  read: (entry: T) => string | undefined,
  place: string,
  key: string,
  expected: string,
): string[] | null {
  if (given === undefined) return null;
  const fix = `give a list of ${expected}, or leave ${key} out for all`;
  if (!Array.isArray(given) || given.length === 0) throw invalid(place, `"${key}" that is no list of any`, fix);
  return given.map((entry: T, n) => {
    const name = read(entry);
    if (name !== undefined) return name;
    const hint = entry === undefined ? ' It is undefined: is its file imported in a circle?' : '';
    throw invalid(place, `something else in "${key}[${n}]" than what can stand there.${hint}`, fix);
  });
}

function nameOf(error: HandledError): string | undefined {
  if (typeof error !== 'function') return typeof error === 'string' && error !== '' ? error : undefined;
  // A predicate has a name as well, and it would fit no error.
  return isClass(error) && error.name !== '' ? error.name : undefined;
}

function invalid(place: string, problem: string, fix: string): InvalidTaskError {
  return new InvalidTaskError(place, `has @OnFailure with ${problem}`, `Mend the filter: ${fix}`);
}
