import type { TaskRef } from '../task/task-reference.js';
import type { TaskNode } from './canvas-node.js';
import { invalidCanvas } from './invalid-canvas.js';
import { jsonCopy } from './json-copy.js';
import { Signature } from './signature.js';

/** A payload without one of its keys: of a union, each of its types without. */
type Without<Payload, K extends PropertyKey> = Payload extends unknown ? Omit<Payload, K> : never;

/** What a payload has beside what is given: of a union, of those of its types that it fits. */
type Beside<Payload, Given> = Payload extends unknown
  ? Given extends Partial<Payload>
    ? Omit<Payload, keyof Given>
    : never
  : never;

/** How a task becomes a part of a canvas. */
export interface Signing<Payload, Result> {
  /** The result of the step before is the payload. At the beginning of a canvas: there is none. */
  s(): Signature<Payload, Result>;
  /** Put into the result of the step before at a key: `add.s({ x: 8 }, { into: 'y' })`. */
  s<const K extends keyof Payload & string>(
    partial: Without<Payload, K>,
    how: { readonly into: K; readonly merge?: never },
  ): Signature<Exclude<Payload[K], undefined>, Result>;
  /** Laid over the result of the step before, an object: `send.s({ to: 'ada' }, { merge: true })`. */
  s<const G extends Partial<Payload>>(
    partial: G,
    how: { readonly merge: true; readonly into?: never },
  ): Signature<Beside<Payload, G>, Result>;
  /** The payload, for the beginning of a canvas. */
  s(payload: Payload): Signature<undefined, Result>;
  /** Immutable: the payload whatever the result of the step before. */
  si(...payload: undefined extends Payload ? [payload?: Payload] : [payload: Payload]): Signature<unknown, Result>;
}

/**
 * A task as {@link task} and {@link taskContract} give it: it can be enqueued, and be a part of a canvas.
 *
 * @publicApi
 */
export type SignableTask<Payload, Result> = TaskRef<Payload, Result> & Signing<Payload, Result>;

interface How {
  readonly into?: unknown;
  readonly merge?: unknown;
}

/** Adds `s` and `si`, which are no data of the task. @internal */
export function signable<const Ref extends TaskRef<never, unknown>>(ref: Ref): Ref & Signing<never, unknown> {
  const place = `the signature of task "${ref.name}"`;
  const methods = {
    s: (payload?: unknown, how?: How) => new Signature(nodeOfTask(ref, place, payload, how)),
    si: (payload?: unknown) => new Signature(nodeOfTask(ref, place, payload, undefined, true)),
  };
  const descriptors = Object.fromEntries(Object.entries(methods).map(([name, value]) => [name, { value }]));
  return Object.freeze(Object.defineProperties(ref, descriptors)) as Ref & Signing<never, unknown>;
}

function nodeOfTask(ref: TaskRef, place: string, payload: unknown, how: How | undefined, immutable = false): TaskNode {
  const { into, merge } = how ?? {};
  if (how !== undefined && (into === undefined) === (merge === undefined)) {
    throw invalidCanvas(`${place}, its second parameter,`, "either { into: 'key' } or { merge: true }", how);
  }
  if (into !== undefined && typeof into !== 'string')
    throw invalidCanvas(`${place}.into`, 'a key of the payload', into);
  if (merge !== undefined && merge !== true) throw invalidCanvas(`${place}.merge`, 'true or absent', merge);
  if (how !== undefined && !isObject(payload)) {
    throw invalidCanvas(`${place}, its payload`, 'an object that the result of the step before is put into', payload);
  }
  return {
    type: 'task',
    ref,
    ...(payload !== undefined && { payload: jsonCopy(payload, place) }),
    ...(into !== undefined && { into }),
    ...(merge && { merge: true }),
    ...(immutable && { immutable: true }),
  };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
