import { isPlainObject } from '../options/jobs-options.error.js';
import { assertInstanceMethod, markAsEntry, nameOfPlace } from '../task/task-method.js';
import type { TaskRef } from '../task/task-ref.js';
import { patternOfTask } from '../task/task-selection.js';
import { InvalidEventListenerError } from './event-listener.error.js';
import { JOB_EVENT_NAMES, type JobEvent, type JobEventName } from './job-event.js';
import { addListenerRule, type JobEventScope, type ListenerRule } from './listener-metadata.js';

/** What an {@link OnJobEvent} method hears of. @publicApi */
export interface OnJobEventOptions<Events extends readonly JobEventName[] = readonly JobEventName[]> {
  /** What it is told of. */
  events: Events;
  /**
   * The tasks whose jobs are meant: what {@link task} or {@link taskContract} gives, or patterns of names, in which `*`
   * stands for any characters, `?` for one.
   *
   * @default all
   */
  tasks?: readonly (TaskRef | string)[];
  /**
   * `local`: what this process does, the jobs that it enqueues and the attempts of its own workers. `fleet`: whatever
   * happens to the jobs of its queues, in whichever process. @default 'local'
   */
  scope?: JobEventScope;
}

/** Decorates a method that takes the events that it asks for. On another method it does not compile. @publicApi */
export type JobEventDecorator<Event> = <Method extends (event: Event) => unknown>(
  target: object,
  method: string,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/**
 * Calls a provider's method when something has happened to a job.
 *
 * It is a notification: told at most once to each process, beside the job and without waiting for the method, and lost
 * with the process. {@link OnFailure} is for what must be done. An event is told when it is stored, so an end that the
 * store refuses, since another process has the job by then, is none. What the library runs for itself is not told of.
 *
 * With the scope `local` a method hears of what its own process does: of the jobs that are enqueued in it (those of
 * a transaction of the caller's are not told, since nobody here knows whether it commits), and of the attempts of its
 * workers. With `fleet` it hears of every job of the declared queues, whichever process did it, and each process that has
 * such a method hears it. That rests on the engine's event streams: an event can be lost, and each costs a read.
 *
 * The method runs outside of every job: {@link JobContext.current} is undefined, and no guards, interceptors, pipes and
 * filters apply. What it throws is logged and counted, and hinders neither the job nor other listeners. At most 1,000
 * calls of one method run at a time; what comes while they do is dropped.
 *
 * The idea is Celery's signals: `before_task_publish`, `task_prerun`, `task_success`, `task_retry` and others.
 *
 * @throws {@link InvalidEventListenerError} on what is no instance method with a name, and on options that it does not
 * know; at boot also on a controller's method and on a task.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { type JobEvent, OnJobEvent } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Chat {
 *   @OnJobEvent({ events: ['retrying', 'failed'], tasks: ['payments.*'], scope: 'fleet' })
 *   warn(event: JobEvent<'retrying' | 'failed'>): void {
 *     const next = event.event === 'retrying' ? `again at ${event.retryAt}` : 'for good';
 *     console.log(`${event.task} ${event.id} failed, ${next}: ${event.error.message}`);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function OnJobEvent<const Events extends readonly JobEventName[]>(
  options: OnJobEventOptions<Events>,
): JobEventDecorator<JobEvent<Events[number]>> {
  return ((target: object, method: string | symbol, descriptor: PropertyDescriptor | undefined) => {
    const rule = ruleOf(options, nameOfPlace(target, method));
    assertInstanceMethod(target, method, descriptor, InvalidEventListenerError);
    addListenerRule(descriptor.value, rule);
    markAsEntry(target);
  }) as JobEventDecorator<JobEvent<Events[number]>>;
}

const KEYS = ['events', 'tasks', 'scope'];
const SCOPES: readonly unknown[] = ['local', 'fleet'] satisfies JobEventScope[];

function ruleOf(options: OnJobEventOptions, place: string): ListenerRule {
  if (!isPlainObject(options)) {
    throw invalid(place, 'options that are no object', "write @OnJobEvent({ events: ['succeeded', 'failed'] })");
  }
  const unknown = Object.keys(options).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw invalid(place, `the unknown option "${unknown}"`, `it knows ${KEYS.join(', ')}`);
  }
  const { events, tasks, scope = 'local' } = options as OnJobEventOptions;
  if (!SCOPES.includes(scope)) {
    throw invalid(place, `"scope" that is ${shown(scope)}`, `give 'local' or 'fleet', or leave it out for 'local'`);
  }
  return { events: namesIn(events, place), tasks: tasks === undefined ? null : patternsIn(tasks, place), scope };
}

function namesIn(events: readonly JobEventName[], place: string): readonly JobEventName[] {
  const fix = `give a list of some of ${JOB_EVENT_NAMES.map((name) => `'${name}'`).join(', ')}`;
  if (!Array.isArray(events) || events.length === 0) throw invalid(place, '"events" that is no list of any', fix);
  const n = events.findIndex((name) => !JOB_EVENT_NAMES.includes(name));
  if (n >= 0) throw invalid(place, `"events[${n}]" that is ${shown(events[n])}`, fix);
  return [...new Set(events)];
}

function patternsIn(tasks: readonly (TaskRef | string)[], place: string): string[] {
  const fix = "give a list of what task(Class, 'method') gives, or patterns like 'mail.*', or leave tasks out for all";
  if (!Array.isArray(tasks) || tasks.length === 0) throw invalid(place, '"tasks" that is no list of any', fix);
  return tasks.map((task: TaskRef | string, n) => {
    const pattern = patternOfTask(task);
    if (pattern !== undefined) return pattern;
    const hint = task === undefined ? ', maybe since its file is imported in a circle' : '';
    throw invalid(place, `"tasks[${n}]" that is ${shown(task)}${hint}`, fix);
  });
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 60)}'`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function invalid(place: string, problem: string, fix: string): InvalidEventListenerError {
  return new InvalidEventListenerError(place, `has @OnJobEvent with ${problem}`, `Mend the options: ${fix}`);
}
