import type { TaskRef } from '../task/task-reference.js';
import type { SignatureOptions } from './signature-options.js';

/** What every part of a canvas may have. @internal */
export interface NodeExtras {
  readonly options?: SignatureOptions | undefined;
  readonly stamps?: readonly string[] | undefined;
  readonly link?: readonly CanvasNode[] | undefined;
  readonly linkError?: readonly CanvasNode[] | undefined;
}

/** @internal */
export interface TaskNode extends NodeExtras {
  readonly type: 'task';
  readonly ref: TaskRef;
  readonly payload?: unknown;
  /** The key of the payload at which the result of the step before is set. */
  readonly into?: string | undefined;
  /** The result of the step before is an object, over which the payload's own keys are laid. */
  readonly merge?: boolean | undefined;
  /** The result of the step before is not wanted. */
  readonly immutable?: boolean | undefined;
  /** The payload is a list, of which each is the payload of one run of the method. */
  readonly each?: boolean | undefined;
}

/** @internal */
export interface ChainNode extends NodeExtras {
  readonly type: 'chain';
  readonly steps: readonly CanvasNode[];
}

/** @internal */
export interface GroupNode extends NodeExtras {
  readonly type: 'group';
  /** Nodes, or something that gives signatures while the canvas is started. */
  readonly members: readonly CanvasNode[] | MemberStream;
  /** Failed members are told of in the place of their results. */
  readonly allowPartial?: boolean | undefined;
}

/** Gives signatures when it is asked for them. @internal */
export interface MemberStream {
  readonly stream: () => AsyncIterable<CanvasNode>;
}

/** A canvas as data; {@link Signature} is its public face. @internal */
export type CanvasNode = TaskNode | ChainNode | GroupNode;

/** @internal */
export function isStream(members: GroupNode['members']): members is MemberStream {
  return 'stream' in members;
}

/** Whether a task takes the result of the step before. @internal */
export function takesPrevious({ payload, into, merge, immutable }: TaskNode): boolean {
  return !immutable && (payload === undefined || into !== undefined || merge === true);
}
