import type { TaskRef } from '../task/task-reference.js';
import { group } from './canvas.js';
import type { GroupSignature } from './canvas-types.js';
import { invalidCanvas } from './invalid-canvas.js';
import { jsonCopy } from './json-copy.js';
import { Signature } from './signature.js';

/**
 * One job that runs a task for each item of a list, one after another; the result is the list of results. When one fails
 * the whole is tried again, from the first item on. Guards, interceptors and pipes run for each item; attempts and time
 * limits are those of the job, and so is the largest payload (`payload.maxSize`). An item that throws {@link Skip} is null in
 * the list. It ignores the result of the step before. A task with `@Locked`, or with a `@RateLimited` that has a key or
 * calculates its cost, is refused when it is started.
 *
 * The idea is Celery's `map`.
 *
 * @param items - the payloads, JSON each.
 * @throws {@link InvalidCanvasError} for what is no list of JSON.
 * @example
 * ```ts
 * import { type JobsService, map, taskContract } from 'nestjs-jobs';
 *
 * const measure = taskContract<string, number>('file.measure');
 *
 * export async function sizes(jobs: JobsService, files: string[]): Promise<number[]> {
 *   return (await jobs.start(map(measure, files))).result({ timeout: '1m' });
 * }
 * ```
 *
 * @publicApi
 */
export function map<Payload, Result>(
  ref: TaskRef<Payload, Result>,
  items: readonly Payload[],
): Signature<unknown, Result[]> {
  if (!Array.isArray(items)) throw invalidCanvas('the items of map()', 'a list of payloads', items);
  return new Signature<unknown, Result[]>({
    type: 'task',
    ref,
    payload: jsonCopy(items, `the items of map() of task "${ref.name}"`),
    each: true,
    immutable: true,
  });
}

/**
 * {@link map} for items that are lists: each is laid out over the keys of the payload.
 *
 * The idea is Celery's `starmap`, whose tasks have several parameters.
 *
 * @param keys - of the payload, in the order in which the items have their values.
 * @param items - lists, each as long as `keys`.
 * @throws {@link InvalidCanvasError} for an item that is no such list.
 * @example
 * ```ts
 * import { type JobsService, starmap, taskContract } from 'nestjs-jobs';
 *
 * const add = taskContract<{ x: number; y: number }, number>('sums.add');
 *
 * export async function sums(jobs: JobsService, pairs: [number, number][]): Promise<number[]> {
 *   // Of [[2, 2], [4, 4]] it is [4, 8].
 *   return (await jobs.start(starmap(add, ['x', 'y'], pairs))).result();
 * }
 * ```
 *
 * @publicApi
 */
export function starmap<Payload, Result, const Keys extends readonly (keyof Payload & string)[]>(
  ref: TaskRef<Payload, Result>,
  keys: Keys,
  items: readonly { readonly [I in keyof Keys]: Payload[Keys[I] & keyof Payload] }[],
): Signature<unknown, Result[]> {
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) {
    throw invalidCanvas('the keys of starmap()', 'a list of keys of the payload', keys);
  }
  if (!Array.isArray(items)) throw invalidCanvas('the items of starmap()', 'a list of lists', items);
  const payloads = (items as readonly unknown[]).map((item, n) => {
    if (Array.isArray(item) && item.length === keys.length) {
      return Object.fromEntries(keys.map((key, at) => [key, (item as unknown[])[at]]));
    }
    throw invalidCanvas(`the items of starmap(), [${n}],`, `a list of ${keys.length}`, item);
  });
  return map(ref, payloads as Payload[]);
}

/**
 * A group of {@link map}s, each of at most `size` items: one job for each. The result is a list of lists, `[]` of no items.
 *
 * The idea is Celery's `chunks`.
 *
 * @param size - a whole number above zero.
 * @throws {@link InvalidCanvasError} for another size, and for what is no list of JSON.
 * @example
 * ```ts
 * import { chunks, type JobsService, taskContract } from 'nestjs-jobs';
 *
 * const measure = taskContract<string, number>('file.measure');
 *
 * export async function sizes(jobs: JobsService, files: string[]): Promise<number[]> {
 *   const started = await jobs.start(chunks(measure, files, 100));
 *   return (await started.result({ timeout: '10m' })).flat();
 * }
 * ```
 *
 * @publicApi
 */
export function chunks<Payload, Result>(
  ref: TaskRef<Payload, Result>,
  items: readonly Payload[],
  size: number,
): GroupSignature<unknown, Result[][]> {
  if (!Array.isArray(items)) throw invalidCanvas('the items of chunks()', 'a list of payloads', items);
  if (!Number.isInteger(size) || size < 1)
    throw invalidCanvas('the size of chunks()', 'a whole number above zero', size);
  const count = Math.ceil(items.length / size);
  return group(Array.from({ length: count }, (_, n) => map(ref, items.slice(n * size, (n + 1) * size))));
}
