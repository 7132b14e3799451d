import { Injectable } from '@nestjs/common';
import { enqueueCall } from '../client/enqueue-call.js';
import { asEnqueueError, resolveEntryOptions, type EnqueueEntryOptions } from '../client/enqueue-options.js';
import { currentJob } from '../client/current-job.js';
import { mergeHeaders, readHeaders, readTags, type JobHeaders } from '../client/headers-and-tags.js';
import { JobsClient } from '../client/jobs-client.js';
import { checkPayload } from '../task/schema-check.js';
import type { Duration } from '../options/jobs-options.js';
import type { TaskOptions } from '../task/task-options.js';
import type { TaskRef } from '../task/task-reference.js';
import { TaskRegistry } from '../task/task.registry.js';
import {
  isStream,
  takesPrevious,
  type CanvasNode,
  type ChainNode,
  type GroupNode,
  type TaskNode,
} from './canvas-node.js';
import { InvalidCanvasError } from './canvas.errors.js';
import {
  isGroup,
  isPlacedStream,
  jobsInARow,
  stepsOf,
  type Errback,
  type PlacedCanvas,
  type PlacedGroup,
  type PlacedStep,
  type PlacedTask,
} from './placed-canvas.js';
import { whyNotMapped } from './mapped-task.js';
import { nodeOf } from './signature.js';
import type { SignatureOptions } from './signature-options.js';

/** What a part of a canvas has of what it stands in. */
interface Surroundings {
  readonly options: SignatureOptions;
  readonly stamps: readonly string[];
  readonly headers: JobHeaders | undefined;
  readonly now: number;
  /** Whether there is a result of a step before. */
  readonly hasPrevious: boolean;
  /** Those of the group that it is a member of. */
  readonly errbacks: readonly PlacedCanvas[];
  /** Whether a group may read its members while it is added. */
  readonly mayStream: boolean;
  /** Where it stands, for complaints. */
  readonly at: string;
}

/** The same task without its schema, for payloads that are not whole yet. */
const partial = new WeakMap<TaskRef, TaskRef>();

/** Decides everything of a canvas but its results, and says what is wrong with it. Sends nothing. @internal */
@Injectable()
export class CanvasPlacer {
  constructor(
    private readonly client: JobsClient,
    private readonly registry: TaskRegistry,
  ) {}

  /** A canvas that is to be started now, with what it inherits of the job in which it is. */
  async placeAll(
    canvas: unknown,
    {
      stamps = [],
      options = {},
      mayStream = false,
    }: Partial<Pick<Surroundings, 'stamps' | 'options' | 'mayStream'>> = {},
  ): Promise<{ canvas: PlacedCanvas; headers: JobHeaders | undefined }> {
    const node = nodeOf(canvas, 'the canvas');
    const { headers: own, ...rest } = options;
    const headers = mergeHeaders(
      currentJob()?.headers,
      asEnqueueError(() => readHeaders(own, 'headers')),
      'headers',
    );
    const around = { options: rest, stamps, headers, now: Date.now(), hasPrevious: false, errbacks: [], mayStream };
    return { canvas: await this.place(node, { ...around, at: 'the canvas' }), headers };
  }

  /** @throws {@link InvalidCanvasError}, and what `enqueue` throws. */
  private async place(node: CanvasNode, around: Surroundings): Promise<PlacedCanvas> {
    const inside: Surroundings = {
      ...around,
      options: node.options ? { ...around.options, ...node.options } : around.options,
      stamps: node.stamps ? [...new Set([...around.stamps, ...node.stamps])] : around.stamps,
      errbacks: [],
    };
    const links = await this.callbacks(node.link, 'link', inside);
    const errbacks = [...(await this.callbacks(node.linkError, 'linkError', inside)), ...around.errbacks];
    switch (node.type) {
      case 'task':
        return withCallbacks(
          await this.task(node, inside),
          links,
          errbacks.map((c) => ({ c })),
        );
      case 'group':
        return withCallbacks(await this.group(node, { ...inside, errbacks }), links, []);
      case 'chain':
        return this.chain(node, inside, links, errbacks);
    }
  }

  private async callbacks(
    nodes: readonly CanvasNode[] | undefined,
    kind: 'link' | 'linkError',
    { stamps, headers, at }: Surroundings,
  ): Promise<PlacedCanvas[]> {
    const placed: PlacedCanvas[] = [];
    for (const [n, node] of (nodes ?? []).entries()) {
      const around = { options: {}, errbacks: [], hasPrevious: true, mayStream: false, at: `${at}.${kind}[${n}]` };
      // What is over when it starts is known when it starts.
      placed.push(await this.place(node, { ...around, stamps, headers, now: 0 }));
    }
    return placed;
  }

  private async chain(
    { steps }: ChainNode,
    inside: Surroundings,
    links: readonly PlacedCanvas[],
    errbacks: readonly PlacedCanvas[],
  ): Promise<PlacedCanvas> {
    const placed: PlacedStep[] = [];
    const { delay: ofFirst, ...options } = inside.options;
    const later = {
      ...inside,
      options,
      now: inside.now + this.delayOf(ofFirst, inside),
      hasPrevious: true,
      mayStream: false,
    };
    for (const [n, step] of steps.entries()) {
      const at = `${inside.at}.steps[${n}]`;
      const around = n === 0 ? inside : later;
      placed.push(...stepsOf(await this.place(step, { ...around, at })));
    }
    const whole = errbacks.map((c) => ({ c, w: jobsInARow(placed) }));
    placed.push(withCallbacks(placed.pop()!, links, whole));
    return placed.length === 1 ? placed[0]! : { s: placed };
  }

  private delayOf(delay: Duration | undefined, { now, at }: Surroundings): number {
    return delay === undefined ? 0 : resolveEntryOptions({ delay }, now, `${at}.options`).delay;
  }

  private async group(node: GroupNode, inside: Surroundings): Promise<PlacedGroup> {
    const { members, allowPartial } = node;
    const { mayStream: _, ...around } = inside;
    const tags = this.tags(inside);
    const extras = { ...(allowPartial && { a: 1 as const }), ...(tags.length > 0 && { t: tags }) };
    const place = (member: CanvasNode, n: number): Promise<PlacedCanvas> =>
      this.place(member, { ...around, mayStream: false, at: `${inside.at}.members[${n}]` });
    if (isStream(members)) {
      const stream = this.stream(members.stream(), place, node);
      if (inside.mayStream) return { g: { stream }, ...extras };
      const all: PlacedCanvas[] = [];
      for await (const member of stream) all.push(member);
      return { g: all, ...extras };
    }
    const placed: PlacedCanvas[] = [];
    for (const [n, member] of members.entries()) placed.push(...flat(member, await place(member, n), node));
    return { g: placed, ...extras };
  }

  private async *stream(
    members: AsyncIterable<CanvasNode>,
    place: (member: CanvasNode, n: number) => Promise<PlacedCanvas>,
    group: GroupNode,
  ): AsyncGenerator<PlacedCanvas> {
    let n = 0;
    for await (const member of members) yield* flat(member, await place(member, n++), group);
  }

  private async task(node: TaskNode, inside: Surroundings): Promise<PlacedTask> {
    const { into, merge, immutable, each } = node;
    const { hasPrevious, at } = inside;
    const isOpen = takesPrevious(node);
    if (hasPrevious && !isOpen && !immutable) {
      throw new InvalidCanvasError(
        at,
        `told what becomes of the result of the step before: task "${node.ref.name}" has a payload of its own. ` +
          'Give { into: key } or { merge: true } beside it, or use .si(payload)',
      );
    }
    if (!hasPrevious && (into !== undefined || merge)) {
      const what = into === undefined ? 'merge' : `into "${into}"`;
      throw new InvalidCanvasError(
        at,
        `behind another step: there is no result that task "${node.ref.name}" could take ${what}`,
      );
    }
    const job = await this.prepare(node, inside, isOpen || each === true);
    const { p, t, h, x, k } = job.data;
    const { attempts, priority, delay } = job.opts;
    return {
      n: job.name,
      q: job.queue,
      ...(p !== undefined && { p }),
      ...(isOpen && hasPrevious && { j: into === undefined ? (merge ? 'm' : 'p') : { i: into } }),
      ...(each && { r: 1 }),
      y: priority!,
      a: attempts!,
      ...(delay !== undefined && { d: delay }),
      ...(x !== undefined && { x }),
      ...(t && { t }),
      ...(h && inside.options.headers && { h }),
      ...(k === 0 && { k }),
    };
  }

  private async prepare(
    node: TaskNode,
    inside: Surroundings,
    isIncomplete: boolean,
  ): Promise<Awaited<ReturnType<JobsClient['prepare']>>> {
    const { ref: known, payload, each } = node;
    const { at, now, options, stamps } = inside;
    const ref = this.ofThisProcess(known);
    const given: EnqueueEntryOptions | undefined =
      Object.keys(options).length > 0 || stamps.length > 0 ? { ...options, tags: this.tags(inside) } : undefined;
    const resolved = resolveEntryOptions(given, now, `${at}.options`);
    const { headers, ...own } = resolved;
    const call = enqueueCall({ ref: isIncomplete ? withoutSchema(ref) : ref, payload, options: own, given }, at);
    const all = mergeHeaders(inside.headers, headers, `${at}.options.headers`);
    const mapped = each ? this.registry.find(ref.name) : undefined;
    const whyNot = mapped && whyNotMapped(mapped);
    if (whyNot !== undefined) throw new InvalidCanvasError(at, whyNot);
    if (each && ref.options.schema) {
      for (const item of payload as unknown[]) await checkPayload(ref.name, ref.options.schema, item, at);
    }
    return this.client.prepare({ ...call, headers: all });
  }

  /** A signature that came as JSON has neither schema nor anything else that is code. */
  private ofThisProcess(ref: TaskRef): TaskRef {
    const schema = ref.options.schema ? undefined : this.registry.find(ref.name)?.input;
    return schema ? { name: ref.name, options: { ...ref.options, schema } } : ref;
  }

  private tags({ options, stamps, at }: Surroundings): readonly string[] {
    return asEnqueueError(() => {
      const own = readTags(options.tags, `${at}.options.tags`) ?? [];
      return readTags([...stamps, ...own], `${at}.stamps`) ?? [];
    });
  }
}

/**
 * A group in a group is a part of it, unless something is to be done with its own result, or with its failures. One in a
 * chain is not, also when it is the only step.
 */
function flat(member: CanvasNode, placed: PlacedCanvas, group: GroupNode): readonly PlacedCanvas[] {
  if (member.type !== 'group' || !isGroup(placed) || placed.l || isPlacedStream(placed.g)) return [placed];
  return (member.allowPartial === true) === (group.allowPartial === true) ? placed.g : [placed];
}

function withCallbacks<Step extends PlacedStep>(
  step: Step,
  links: readonly PlacedCanvas[],
  errbacks: readonly Errback[],
): Step {
  if (links.length === 0 && errbacks.length === 0) return step;
  return {
    ...step,
    ...(links.length > 0 && { l: [...(step.l ?? []), ...links] }),
    ...(errbacks.length > 0 && { e: [...(step.e ?? []), ...errbacks] }),
  };
}

function withoutSchema(ref: TaskRef): TaskRef {
  const { schema, ...options }: TaskOptions = ref.options;
  if (!schema) return ref;
  let without = partial.get(ref);
  if (!without) partial.set(ref, (without = { name: ref.name, options }));
  return without;
}
