import { InvalidJobsOptionsError, isPlainObject } from '../options/jobs-options.error.js';
import { OptionReader } from '../options/option-reader.js';
import type { TaskRef } from '../task/task-ref.js';
import { asEnqueueError, type EnqueueEntryOptions } from './enqueue-options.js';
import type { JobHandle } from './job-handle.js';

/**
 * One job for `enqueueMany`, typed by its task: the payload must be the task's, and a task without one takes none. A list
 * that is written in the call needs no such type; one that is made elsewhere has it for the tasks that may stand in it.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { type EnqueueEntry, Task, task } from 'nestjs-jobs';
 *
 * @Injectable()
 * class Mails {
 *   @Task()
 *   async send(payload: { userId: string; kind: 'welcome' | 'farewell' }): Promise<void> {
 *     console.log(payload.userId, payload.kind);
 *   }
 * }
 *
 * const send = task(Mails, 'send');
 *
 * export function farewells(userIds: string[]): EnqueueEntry<typeof send>[] {
 *   return userIds.map((userId) => ({ task: send, payload: { userId, kind: 'farewell' } }));
 * }
 * ```
 *
 * @publicApi
 */
export type EnqueueEntry<Ref extends TaskRef> =
  Ref extends TaskRef<infer Payload, unknown>
    ? undefined extends Payload
      ? { readonly task: Ref; readonly payload?: Payload; readonly options?: EnqueueEntryOptions }
      : { readonly task: Ref; readonly payload: Payload; readonly options?: EnqueueEntryOptions }
    : never;

/** The entries that `enqueueMany` takes for these tasks, in their order. @publicApi */
export type EnqueueEntries<Refs extends readonly TaskRef[]> = { readonly [I in keyof Refs]: EnqueueEntry<Refs[I]> };

/** The handles that `enqueueMany` gives for these tasks: an array for an array, a tuple for a tuple. @publicApi */
export type EnqueuedJobs<Refs extends readonly TaskRef[]> = {
  -readonly [I in keyof Refs]: JobHandle<Refs[I] extends TaskRef<never, infer Result> ? Result : never>;
};

/** An entry whose payload nobody has looked at. @internal */
export interface UncheckedEntry {
  readonly task: TaskRef;
  readonly payload: unknown;
  readonly options: EnqueueEntryOptions | undefined;
  /** `entries[3]`. */
  readonly place: string;
}

/** What types promise of the list, at run time. @internal */
export function readEntries(entries: unknown): UncheckedEntry[] {
  return asEnqueueError(() => {
    if (!Array.isArray(entries)) {
      const expected = "an array of entries like { task: task(Mails, 'welcome'), payload: { userId } }";
      throw new InvalidJobsOptionsError('entries', expected, entries);
    }
    // Array.from also visits the holes of a sparse array.
    return Array.from(entries as unknown[], (entry, index) => readEntry(entry, `entries[${index}]`));
  });
}

function readEntry(entry: unknown, place: string): UncheckedEntry {
  if (!isPlainObject(entry)) {
    const expected = "an object like { task: task(Mails, 'welcome'), payload: { userId }, options: { delay: '10m' } }";
    throw new InvalidJobsOptionsError(place, expected, entry);
  }
  const reader = new OptionReader(entry, place, ['task', 'payload', 'options']);
  const task = reader.raw('task');
  assertTaskRef(task, reader.at('task'));
  return {
    task,
    payload: reader.raw('payload'),
    options: reader.raw('options') as EnqueueEntryOptions | undefined,
    place,
  };
}

/** @throws {@link InvalidJobsOptionsError} @internal */
export function assertTaskRef(value: unknown, path: string): asserts value is TaskRef {
  if (isPlainObject(value) && typeof value['name'] === 'string' && isPlainObject(value['options'])) return;
  throw new InvalidJobsOptionsError(path, "a task as task(Class, 'method') gives it", value);
}
