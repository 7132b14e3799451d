import { isPlainObject, parseDuration, QUEUE_NAME } from '../options/option-reader.js';
import type { TaskOptions } from '../task/task-options.js';
import { invalidCanvas } from './invalid-canvas.js';

/** Those of the task's options that decide about its jobs when they are enqueued. */
export type DeclaredOptions = Pick<TaskOptions, 'queue' | 'priority' | 'expiresIn' | 'keepResult'> & {
  readonly attempts?: number;
};

type Rule = readonly [holds: (value: unknown) => boolean, expected: string];

const RULES: Readonly<Record<keyof DeclaredOptions, Rule>> = {
  queue: [(value) => typeof value === 'string' && QUEUE_NAME.test(value), 'the name of a queue'],
  priority: [(value) => isWhole(value) && value >= 0 && value <= 9, 'a whole number from 0 to 9'],
  expiresIn: [(value) => value === false || (parseDuration(value) ?? 0) > 0, 'a duration above zero, or false'],
  keepResult: [(value) => typeof value === 'boolean', 'true or false'],
  attempts: [(value) => isWhole(value) && value > 0, 'a whole number above zero'],
};

/** @internal */
export function declaredBy({ queue, priority, expiresIn, keepResult, retry }: TaskOptions): DeclaredOptions {
  return {
    ...(queue !== undefined && { queue }),
    ...(priority !== undefined && { priority }),
    ...(expiresIn !== undefined && { expiresIn }),
    ...(keepResult !== undefined && { keepResult }),
    ...(retry?.attempts !== undefined && { attempts: retry.attempts }),
  };
}

/** The options of a task as it declared them elsewhere. @throws {@link InvalidCanvasError} @internal */
export function taskOptionsFrom(declared: unknown, place: string): TaskOptions {
  if (!isPlainObject(declared)) throw invalidCanvas(place, 'an object', declared);
  for (const [key, value] of Object.entries(declared)) {
    const known = Object.keys(RULES);
    if (!known.includes(key)) throw invalidCanvas(place, `an object with no keys but ${known.join(', ')}`, declared);
    const [holds, expected] = RULES[key as keyof DeclaredOptions];
    if (!holds(value)) throw invalidCanvas(`${place}.${key}`, expected, value);
  }
  const { attempts, ...options } = declared as DeclaredOptions;
  return Object.freeze({ ...options, ...(attempts !== undefined && { retry: Object.freeze({ attempts }) }) });
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value);
}
