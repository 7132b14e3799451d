import { CanvasTooLargeError } from './canvas.errors.js';
import { idAt, memberPath, relayPath, spawnerPath, stepPath } from './canvas-ids.js';
import { INTERNAL_QUEUE, type CanvasPart, type JobPlace } from './canvas-part.js';
import { nodeJob, taskJob, type FlowJob, type Frame, type WhenFailed } from './flow-job.js';
import {
  isGroup,
  isHeader,
  isPlacedStream,
  isTask,
  jobsInARow,
  stepsOf,
  tagsOfAll,
  type PlacedCanvas,
  type PlacedGroup,
  type PlacedStep,
} from './placed-canvas.js';

/** Jobs that are added in one step: about 20 ms, in which Redis serves nobody else. @internal */
export const MOST_AT_ONCE = 400;
/** Steps of a chain that are added in one step, and a third more: a flow is as deep as its chain is long. */
const SEGMENT = 200;
/** Of such pieces. */
const MOST_SEGMENTS = 100;
/** Bytes of JSON that one job has to add to a canvas. */
const LARGEST_SPAWN = 8 * 2 ** 20;

/** Where a canvas stands in the flow. @internal */
export interface Place {
  readonly path: string;
  /** The result of the step before, the job that has it, or nothing at all. */
  readonly before?: { readonly value: unknown } | { readonly job: FlowJob };
  /** Undefined for what has no parent. */
  readonly whenFailed?: WhenFailed;
}

/** The jobs of a group, as children of the job that waits for them. */
interface Members {
  readonly children: FlowJob[];
  readonly part: CanvasPart;
}

/**
 * Makes the flow of a canvas. A job of BullMQ has one parent, so what several wait for cannot be a child of each: a group
 * that comes after something is added when that is done, by a job of our own, which is the child of whatever waits for the
 * group. The same job adds what is too much for one step. Pure: it reads nothing and stores nothing.
 *
 * @internal
 */
export function compileCanvas(canvas: PlacedCanvas, place: Place, frame: Frame): FlowJob {
  return new Compiler(frame, canvas).compile(canvas, place);
}

/**
 * Of a canvas that takes the place of a job, and is stored with that before it is added.
 *
 * @throws {@link CanvasTooLargeError}
 * @internal
 */
export function assertReplaces(canvas: PlacedCanvas): void {
  const size = Buffer.byteLength(JSON.stringify(canvas));
  if (size > LARGEST_SPAWN) {
    throw new CanvasTooLargeError(
      `is to replace a job, and has ${size} bytes of JSON; ${LARGEST_SPAWN} are allowed`,
      'Pass references in the place of the data.',
    );
  }
  const frame = { headers: undefined, rootId: undefined, stamps: undefined, retention: {} };
  compileCanvas(canvas, { path: '', whenFailed: 'fail' }, frame);
}

class Compiler {
  private left = MOST_AT_ONCE;

  constructor(
    private readonly frame: Frame,
    canvas: PlacedCanvas,
  ) {
    const pieces = segmentsOf(stepsOf(canvas));
    // Beside members: the steps before the last one, and a relay and a spawner for each piece that is added later.
    this.left -= jobsInARow(pieces.at(-1)!) + 2 * (pieces.length - 1) - 1;
  }

  compile(canvas: PlacedCanvas, place: Place): FlowJob {
    const steps = stepsOf(canvas);
    const pieces = segmentsOf(steps);
    return pieces.length > 1 ? this.inSegments(pieces, place) : this.step(steps, steps.length - 1, place);
  }

  /** The job that has the result of the n-th step; the ones before are below it. */
  private step(steps: readonly PlacedStep[], n: number, place: Place): FlowJob {
    const isLast = n === steps.length - 1;
    const path = isLast ? place.path : stepPath(place.path, n);
    const step = steps[n]!;
    // Whoever waits for a step of a chain fails with it.
    const whenFailed = isLast ? place.whenFailed : 'fail';
    if (isGroup(step)) {
      const { children, part } = this.group(
        steps,
        n,
        { id: idAt(INTERNAL_QUEUE, path), q: INTERNAL_QUEUE },
        path,
        place,
      );
      const { l, e } = step;
      const own: CanvasPart = { n: { k: 'gather' }, ...part, ...(l && { l }), ...(e && { e }) };
      return nodeJob(path, own, children, this.frameOf(step), whenFailed);
    }
    const job = (part: CanvasPart, children: FlowJob[]): FlowJob =>
      taskJob(step, path, part, children, this.frame, whenFailed);
    if (isHeader(steps, n - 1)) {
      const { children, part } = this.group(steps, n - 1, { id: idAt(step.q, path), q: step.q }, path, place);
      return job(part, children);
    }
    const before = n > 0 ? { job: this.step(steps, n - 1, place) } : place.before;
    if (!before) return job({}, []);
    if ('value' in before) return job(step.j === undefined ? {} : { v: [before.value] }, []);
    return job({ b: before.job.opts.jobId, ...(step.j !== undefined && { g: 1 }) }, [before.job]);
  }

  /** The members of the group of the n-th step, as children of `owner`, at `path`. */
  private group(steps: readonly PlacedStep[], n: number, owner: JobPlace, path: string, place: Place): Members {
    const { g: members, a } = steps[n] as PlacedGroup;
    if (isPlacedStream(members)) throw new Error('nestjs-jobs: a stream of members is not known before it is read.');
    const before = n > 0 ? { job: this.step(steps, n - 1, place) } : place.before;
    const part = { g: 2, t: members.length, ...(a && { a }) } as const;
    if ((!before || 'value' in before) && this.affords(members)) {
      const whenFailed = a ? 'ignore' : 'fail';
      const children = members.map((member, m) =>
        this.compile(member, { path: memberPath(path, m), whenFailed, ...(before && { before }) }),
      );
      return { children, part };
    }
    const spawner = this.spawner(path, owner, steps[n] as PlacedGroup, members, before);
    return {
      children: [spawner],
      part: { ...part, s: 1, ...(before && 'job' in before && { b: before.job.opts.jobId }) },
    };
  }

  private spawner(
    path: string,
    owner: JobPlace,
    { a, t }: Pick<PlacedGroup, 'a' | 't'>,
    members: readonly PlacedCanvas[],
    before: Place['before'],
  ): FlowJob {
    const size = Buffer.byteLength(JSON.stringify(members));
    if (size > LARGEST_SPAWN) {
      throw new CanvasTooLargeError(
        `has a part of ${size} bytes of JSON that one job is to add later; ${LARGEST_SPAWN} are allowed`,
        'Pass references in the place of the data; for a group at its beginning, an iterable in the place of the array.',
      );
    }
    const work = { k: 'spawn', o: owner, m: members, ...(a && { a }) } as const;
    const children = before && 'job' in before ? [before.job] : [];
    const part: CanvasPart = {
      n: work,
      ...(before && ('job' in before ? { g: 1, b: before.job.opts.jobId } : { v: [before.value] })),
    };
    return nodeJob(spawnerPath(path), part, children, this.frameOf({ t }), 'fail');
  }

  /** Each piece but the last is added when the one before is done, below a job that hands on its result. */
  private inSegments(pieces: readonly (readonly PlacedStep[])[], place: Place): FlowJob {
    if (pieces.length > MOST_SEGMENTS) {
      throw new CanvasTooLargeError(
        `has a chain of more than ${MOST_SEGMENTS * SEGMENT} steps`,
        'Let a step of it start the rest as a canvas of its own.',
      );
    }
    let { before } = place;
    for (const [n, piece] of pieces.slice(0, -1).entries()) {
      const path = relayPath(place.path, n);
      const owner = { id: idAt(INTERNAL_QUEUE, path), q: INTERNAL_QUEUE };
      const shared = { t: tagsOfAll({ s: piece }) };
      const spawner = this.spawner(path, owner, shared, [{ s: piece }], before);
      const b = before && 'job' in before ? before.job.opts.jobId : undefined;
      const part: CanvasPart = { n: { k: 'gather' }, g: 1, s: 1, t: jobsInARow(piece), ...(b !== undefined && { b }) };
      before = { job: nodeJob(path, part, [spawner], this.frameOf(shared), 'fail') };
    }
    const last = pieces.at(-1)!;
    return this.step(last, last.length - 1, { ...place, ...(before && { before }) });
  }

  /** Of a job of the library's own: whoever cancels by a tag what it adds means that job too. */
  private frameOf({ t }: Pick<PlacedGroup, 't'>): Frame {
    const { stamps = [] } = this.frame;
    return t === undefined ? this.frame : { ...this.frame, stamps: [...new Set([...stamps, ...t])] };
  }

  /** Whether these members fit into this step of adding; then they count. */
  private affords(members: readonly PlacedCanvas[]): boolean {
    let weight = 0;
    for (const member of members) {
      weight += weightOf(member);
      if (weight > this.left) return false;
    }
    this.left -= weight;
    return true;
  }
}

/** A chain in pieces that are added one by one; a short one is one piece. @internal */
export function segmentsOf(steps: readonly PlacedStep[]): PlacedStep[][] {
  if (steps.length <= SEGMENT * 1.3) return [[...steps]];
  const pieces: PlacedStep[][] = [[]];
  for (const [n, step] of steps.entries()) {
    if (pieces.at(-1)!.length >= SEGMENT && !isHeader(steps, n - 1)) pieces.push([]);
    pieces.at(-1)!.push(step);
  }
  return pieces;
}

/** How many jobs of a canvas are added with it. @internal */
export function weightOf(canvas: PlacedCanvas): number {
  if (isTask(canvas)) return 1;
  const steps = stepsOf(canvas);
  let weight = 0;
  for (const [n, step] of steps.entries()) {
    if (isTask(step)) weight++;
    else if (n > 0 || isPlacedStream(step.g)) weight += 2;
    else weight += step.g.reduce((sum, member) => sum + weightOf(member), 1);
  }
  return Math.min(weight, SEGMENT * 2 + MOST_SEGMENTS * 2);
}
