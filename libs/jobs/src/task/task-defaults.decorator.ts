import type { TimeLimit } from '../execution/time-limit.js';
import { isPlainObject, parseDuration } from '../options/option-reader.js';
import { InvalidTaskError } from './task.errors.js';
import type { SharedTaskOptions, TaskOptions } from './task-options.js';

/** Read by every copy of the library that an app may have installed, hence a string. */
const TASK_DEFAULTS_METADATA = 'nestjs-jobs:task-defaults';
const KEYS = new Set<string>([
  'queue',
  'retry',
  'timeLimit',
  'priority',
  'expiresIn',
  'keepResult',
] satisfies (keyof SharedTaskOptions)[]);

/**
 * Options for all tasks of a class. What a task's own `@Task` says goes before them, key by key, also inside `retry` and
 * `timeLimit`. A subclass inherits them, and overrides them by its own `@TaskDefaults` in the same way.
 *
 * The idea is Celery's task base classes.
 *
 * @throws {@link InvalidTaskError} on an option that tasks cannot share.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { Task, TaskDefaults } from 'nestjs-jobs';
 *
 * @TaskDefaults({ queue: 'mails', retry: { attempts: 8, maxDelay: '1h' } })
 * abstract class MailTasks {}
 *
 * @Injectable()
 * export class Newsletters extends MailTasks {
 *   // In the queue "mails", 8 attempts, no jitter.
 *   @Task({ retry: { jitter: 'none' } })
 *   async send(payload: { userId: string }): Promise<void> {
 *     console.log(payload.userId);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function TaskDefaults(
  options: SharedTaskOptions,
): <Class extends abstract new (...args: never[]) => unknown>(target: Class) => void {
  return (target) => {
    const unknown = Object.keys(options).find((key) => !KEYS.has(key));
    if (unknown !== undefined) {
      throw new InvalidTaskError(
        target.name,
        `has @TaskDefaults with the option "${unknown}", which tasks cannot share`,
        `Shared can be ${[...KEYS].join(', ')}`,
      );
    }
    Reflect.defineMetadata(TASK_DEFAULTS_METADATA, options, target);
  };
}

/** A task's own options over those of its class, and these over those of the classes it extends. @internal */
export function withTaskDefaults(options: TaskOptions, host: object): TaskOptions {
  // The usual case, in which nothing is copied.
  if (!Reflect.hasMetadata(TASK_DEFAULTS_METADATA, host)) return options;
  return overShared(defaultsOf(host), options);
}

function defaultsOf(host: object | null): SharedTaskOptions {
  if (host === null || !Reflect.hasMetadata(TASK_DEFAULTS_METADATA, host)) return {};
  const own = Reflect.getOwnMetadata(TASK_DEFAULTS_METADATA, host) as SharedTaskOptions | undefined;
  return overShared(defaultsOf(Object.getPrototypeOf(host) as object | null), own ?? {});
}

/** Options over others that tasks share, key by key, also inside `retry` and `timeLimit`. @internal */
export function overShared<Options extends TaskOptions>(base: SharedTaskOptions, own: Options): Options {
  const merged = { ...base, ...withoutUndefined(own) } as Options;
  // What is no object is left for the check of the options to complain of.
  if (isPlainObject(base.retry) && isPlainObject(own.retry)) {
    merged.retry = { ...base.retry, ...withoutUndefined(own.retry) };
  }
  if (isPlainObject(base.timeLimit) && isPlainObject(own.timeLimit)) {
    merged.timeLimit = overTimeLimit(base.timeLimit, withoutUndefined(own.timeLimit));
  }
  return merged;
}

/** Of a shared limit nothing stays that does not fit the task's own one. */
function overTimeLimit(base: TimeLimit, own: TimeLimit): TimeLimit {
  const merged = { ...base, ...own };
  const [soft, hard] = [parseDuration(merged.soft), parseDuration(merged.hard)];
  if (soft === undefined || hard === undefined || soft < hard) return merged;
  if (!('soft' in own) && 'hard' in own) delete merged.soft;
  if (!('hard' in own) && 'soft' in own) delete merged.hard;
  return merged;
}

/** @internal */
export function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
