import { isPlainObject } from '../options/jobs-options.error.js';
import { TASK_NAME } from '../task/task-options.js';
import type { TaskRef } from '../task/task-reference.js';
import { type CanvasNode, type GroupNode, isStream, type NodeExtras, type TaskNode } from './canvas-node.js';
import { type DeclaredOptions, declaredBy, taskOptionsFrom } from './declared-options.js';
import { invalidCanvas } from './invalid-canvas.js';
import { readSignatureOptions, type SignatureOptions } from './signature-options.js';
import { isTag, TAG_RULE } from '../client/headers-and-tags.js';

const KEYS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['task', ['type', 'task', 'payload', 'into', 'merge', 'immutable', 'each', 'declared']],
  ['chain', ['type', 'steps']],
  ['group', ['type', 'members', 'allowPartial']],
]);
const EXTRAS: readonly string[] = ['options', 'stamps', 'link', 'linkError'];

interface JsonExtras {
  readonly options?: SignatureOptions;
  readonly stamps?: readonly string[];
  readonly link?: readonly CanvasJson[];
  readonly linkError?: readonly CanvasJson[];
}

/** A canvas as plain JSON, see {@link Signature.toJSON}. @publicApi */
export type CanvasJson = JsonExtras &
  (
    | {
        readonly type: 'task';
        readonly task: string;
        readonly payload?: unknown;
        readonly into?: string;
        readonly merge?: true;
        readonly immutable?: true;
        readonly each?: true;
        /** What the task says of itself where it was made a signature. */
        readonly declared?: DeclaredOptions;
      }
    | { readonly type: 'chain'; readonly steps: readonly CanvasJson[] }
    | { readonly type: 'group'; readonly members: readonly CanvasJson[]; readonly allowPartial?: true }
  );

/** @internal */
export function nodeToJson(node: CanvasNode, place: string): CanvasJson {
  const extras = extrasToJson(node, place);
  if (node.type === 'chain') {
    return { type: 'chain', steps: node.steps.map((step, n) => nodeToJson(step, `${place}.steps[${n}]`)), ...extras };
  }
  if (node.type === 'task') return { ...taskToJson(node), ...extras };
  const { members, allowPartial } = node;
  if (isStream(members)) throw invalidCanvas(place, 'a group of an array to become JSON', 'a group of an iterable');
  return {
    type: 'group',
    members: members.map((member, n) => nodeToJson(member, `${place}.members[${n}]`)),
    ...(allowPartial && { allowPartial: true }),
    ...extras,
  };
}

function extrasToJson({ options, stamps, link, linkError }: NodeExtras, place: string): JsonExtras {
  return {
    ...(options && { options }),
    ...(stamps && { stamps }),
    ...(link && { link: link.map((each, n) => nodeToJson(each, `${place}.link[${n}]`)) }),
    ...(linkError && { linkError: linkError.map((each, n) => nodeToJson(each, `${place}.linkError[${n}]`)) }),
  };
}

function taskToJson({ ref, payload, into, merge, immutable, each }: TaskNode): CanvasJson {
  const declared = declaredBy(ref.options);
  return {
    type: 'task',
    task: ref.name,
    ...(payload !== undefined && { payload }),
    ...(into !== undefined && { into }),
    ...(merge && { merge: true }),
    ...(immutable && { immutable: true }),
    ...(each && { each: true }),
    ...(Object.keys(declared).length > 0 && { declared }),
  };
}

/** `json` is JSON that nobody else changes. @throws {@link InvalidCanvasError} @internal */
export function nodeFrom(json: unknown, place: string): CanvasNode {
  if (!isPlainObject(json)) throw invalidCanvas(place, 'an object as toJSON() of a signature gives it', json);
  assertKeys(json, place);
  const extras = extrasFrom(json, place);
  switch (json['type']) {
    case 'task':
      return { ...taskFrom(json, place), ...extras };
    case 'chain': {
      const steps = nodesFrom(json['steps'], `${place}.steps`);
      if (steps.length === 0) throw invalidCanvas(`${place}.steps`, 'a list of at least one step', []);
      return { type: 'chain', steps, ...extras };
    }
    case 'group':
      return { ...groupFrom(json, place), ...extras };
    default:
      throw invalidCanvas(`${place}.type`, "'task', 'chain' or 'group'", json['type']);
  }
}

/** A key that nobody reads, of a later version maybe, would be something that is not done. */
function assertKeys(json: Record<string, unknown>, place: string): void {
  const own = KEYS.get(json['type']);
  if (!own) return;
  const unknown = Object.keys(json).find((key) => !own.includes(key) && !EXTRAS.includes(key));
  if (unknown !== undefined) {
    throw invalidCanvas(`${place}.${unknown}`, `one of ${[...own, ...EXTRAS].join(', ')}`, json[unknown]);
  }
}

function extrasFrom(json: Record<string, unknown>, place: string): NodeExtras {
  const { options, stamps, link, linkError } = json;
  if (stamps !== undefined && !(Array.isArray(stamps) && stamps.every(isTag))) {
    throw invalidCanvas(`${place}.stamps`, `a list, each ${TAG_RULE}`, stamps);
  }
  return {
    ...(options !== undefined && { options: readSignatureOptions(options, `${place}.options`) }),
    ...(stamps !== undefined && { stamps: stamps as string[] }),
    ...(link !== undefined && { link: nodesFrom(link, `${place}.link`) }),
    ...(linkError !== undefined && { linkError: nodesFrom(linkError, `${place}.linkError`) }),
  };
}

function taskFrom(json: Record<string, unknown>, place: string): TaskNode {
  const { task, payload, into, merge, immutable, each, declared } = json;
  if (typeof task !== 'string' || !TASK_NAME.test(task)) throw invalidCanvas(`${place}.task`, "a task's name", task);
  if (into !== undefined && typeof into !== 'string') throw invalidCanvas(`${place}.into`, 'a text', into);
  for (const [key, value] of Object.entries({ merge, immutable, each })) {
    if (value !== undefined && value !== true) throw invalidCanvas(`${place}.${key}`, 'true or absent', value);
  }
  if (each && !Array.isArray(payload)) throw invalidCanvas(`${place}.payload`, 'a list of payloads', payload);
  if ((into !== undefined || merge) && (immutable || !isPlainObject(payload))) {
    const how = into === undefined ? 'merge' : 'into';
    throw invalidCanvas(`${place}.${how}`, 'absent where there is no payload that takes a result', json[how]);
  }
  if (into !== undefined && merge) throw invalidCanvas(`${place}.merge`, 'absent beside "into"', merge);
  const options = declared === undefined ? {} : taskOptionsFrom(declared, `${place}.declared`);
  const ref: TaskRef = { name: task, options };
  return {
    type: 'task',
    ref,
    ...(payload !== undefined && { payload }),
    ...(into !== undefined && { into }),
    ...(merge === true && { merge }),
    ...(immutable === true && { immutable }),
    ...(each === true && { each }),
  };
}

function groupFrom(json: Record<string, unknown>, place: string): GroupNode {
  const { members, allowPartial } = json;
  if (allowPartial !== undefined && allowPartial !== true) {
    throw invalidCanvas(`${place}.allowPartial`, 'true or absent', allowPartial);
  }
  return { type: 'group', members: nodesFrom(members, `${place}.members`), ...(allowPartial && { allowPartial }) };
}

function nodesFrom(list: unknown, place: string): CanvasNode[] {
  if (!Array.isArray(list)) throw invalidCanvas(place, 'a list', list);
  return list.map((each, n) => nodeFrom(each, `${place}[${n}]`));
}
