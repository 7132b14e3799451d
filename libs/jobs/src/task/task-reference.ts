import type { Observable } from 'rxjs';
import type { JsonSafe, Jsonify } from './json-types.js';
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
