import { TASK_METADATA, type TaskOptions } from './task.decorator.js';

/** The options of the `@Task` on a method, own or inherited; undefined when there is none. @internal */
export function readTaskOptions(prototype: object, method: string): TaskOptions | undefined {
  const handler: unknown = (prototype as Record<string, unknown>)[method];
  if (typeof handler !== 'function') return undefined;
  return Reflect.getMetadata(TASK_METADATA, handler) as TaskOptions | undefined;
}
