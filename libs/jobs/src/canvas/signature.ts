import type { CanvasFailure } from './canvas-failure.js';
import type { CanvasJson } from './canvas-json.js';
import { isTag, TAG_RULE } from '../client/headers-and-tags.js';
import type { CanvasNode } from './canvas-node.js';
import { nodeFrom, nodeToJson } from './canvas-json.js';
import { invalidCanvas } from './invalid-canvas.js';
import { jsonCopy } from './json-copy.js';
import { readSignatureOptions, type SignatureOptions } from './signature-options.js';

/**
 * Work as a value: a task with a payload, or a chain or a group of such. Nothing runs before `jobs.start(signature)`. It
 * never changes; each method gives a new one.
 *
 * The idea is Celery's signature, and its canvas.
 *
 * @typeParam In - the result of the step before that it takes; `unknown` when it takes any, `undefined` when it needs
 * none and can stand at the beginning.
 * @typeParam Out - its result.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { chain, type JobsService, Task, task } from 'nestjs-jobs';
 *
 * @Injectable()
 * class Sums {
 *   @Task()
 *   async add({ x, y }: { x: number; y: number }): Promise<number> {
 *     return x + y;
 *   }
 * }
 *
 * const add = task(Sums, 'add');
 *
 * export async function thirtyTwo(jobs: JobsService): Promise<number> {
 *   const canvas = chain(add.s({ x: 4, y: 4 }), add.s({ x: 8 }, { into: 'y' }), add.s({ x: 16 }, { into: 'y' }));
 *   const started = await jobs.start(canvas);
 *   return started.result();
 * }
 * ```
 *
 * @publicApi
 */
export class Signature<in In = undefined, out Out = unknown> {
  /** Types only; never there at run time. */
  declare readonly __canvas?: (previous: In) => Out;
  /** @internal */
  readonly node: CanvasNode;

  /** @internal */
  constructor(node: CanvasNode) {
    this.node = Object.freeze(node);
  }

  /**
   * Makes a signature of what {@link Signature.toJSON} gave, here or in another process. A task that this process does
   * not know is taken as it was known there.
   *
   * @throws {@link InvalidCanvasError} that names the place.
   */
  static from(json: unknown): Signature<unknown, unknown> {
    return new Signature<unknown, unknown>(nodeFrom(jsonCopy(json, 'the canvas'), 'the canvas'));
  }

  /**
   * With these options; of a chain or a group, each part that does not set its own has them.
   *
   * @throws {@link InvalidCanvasError} for an option that a part of a canvas cannot have, such as `unique`.
   */
  set(options: SignatureOptions): this {
    const own = readSignatureOptions(options, 'the options of set()');
    return this.with({ ...this.node, options: { ...this.node.options, ...own } });
  }

  /**
   * When this has succeeded, starts another canvas with its result: durably, apart from this canvas, and without changing
   * its result. Of a chain that is once, after its last step; of a group once, with the list: in another group it is then
   * a member of its own.
   */
  link(callback: Signature<Out, unknown>): Signature<In, Out> {
    return this.with({ ...this.node, link: [...(this.node.link ?? []), nodeOf(callback, 'link()')] });
  }

  /**
   * When this has failed for good, starts another canvas with a {@link CanvasFailure}: durably, and apart from this one.
   * On a task: when that task fails, and on the body of a chord also for its header. On a chain: once, whichever step
   * fails. On a group: for each member that fails.
   */
  linkError(errback: Signature<CanvasFailure, unknown>): this {
    return this.with({ ...this.node, linkError: [...(this.node.linkError ?? []), nodeOf(errback, 'linkError()')] });
  }

  /**
   * Gives a tag to each job of this, also to those of its links and errbacks: `jobs.cancelByTag(tag)` finds them all.
   *
   * @throws {@link InvalidCanvasError}
   */
  stamp(...tags: readonly string[]): this {
    for (const tag of tags) if (!isTag(tag)) throw invalidCanvas('a stamp', TAG_RULE, tag);
    return this.with({ ...this.node, stamps: [...new Set([...(this.node.stamps ?? []), ...tags])] });
  }

  /** Another signature that is the same. */
  clone(): this {
    return this.with({ ...this.node });
  }

  /**
   * As plain JSON, for {@link Signature.from}. It holds no code and no schema.
   *
   * @throws {@link InvalidCanvasError} for a group whose members come of an iterable.
   */
  toJSON(): CanvasJson {
    return nodeToJson(this.node, 'the canvas');
  }

  private with(node: CanvasNode): this {
    return new Signature<In, Out>(node) as this;
  }
}

/** What types promise, at run time. @internal */
export function nodeOf(value: unknown, place: string): CanvasNode {
  if (value instanceof Signature) return value.node;
  throw invalidCanvas(place, "a signature, as task(Class, 'method').s(payload) gives it", value);
}
