import type { JobsOptions as EngineOptions } from 'bullmq';
import type { JobEnvelope } from '../client/envelope.js';
import { DECIDED_BACKOFF } from '../retry/decided-backoff.js';
import type { CanvasPart } from './canvas-part.js';
import { INTERNAL_QUEUE, CANVAS_TASK, NODE_ATTEMPTS, NODE_PRIORITY } from './canvas-part.js';
import { idAt } from './canvas-ids.js';
import type { PlacedTask } from './placed-canvas.js';

/** A job of a flow, all that BullMQ needs. @internal */
export interface FlowJob {
  name: string;
  queueName: string;
  data: JobEnvelope;
  opts: EngineOptions & { jobId: string };
  children?: FlowJob[];
}

/** What all jobs of a canvas share. @internal */
export interface Frame {
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** The id of the outermost job. */
  readonly rootId: string | undefined;
  /** Of jobs of the library's own. */
  readonly stamps: readonly string[] | undefined;
  /** How long BullMQ keeps them. */
  readonly retention: EngineOptions;
}

/**
 * What happens to the job that waits for another one when that fails: it fails too, or it takes it for done. Without, a
 * parent would wait for ever.
 *
 * @internal
 */
export type WhenFailed = 'fail' | 'ignore';

/** The options of a child in a flow; none for what has no parent. @internal */
export function failureOption(whenFailed: WhenFailed | undefined): EngineOptions {
  if (whenFailed === undefined) return {};
  return whenFailed === 'ignore' ? { ignoreDependencyOnFailure: true } : { failParentOnFailure: true };
}

/** @internal */
export function taskJob(
  task: PlacedTask,
  path: string,
  part: CanvasPart,
  children: FlowJob[],
  frame: Frame,
  whenFailed: WhenFailed | undefined,
): FlowJob {
  const { n, q, p, j, r, y, a, d, x, t, k, l, e } = task;
  const id = idAt(q, path);
  const h = task.h ?? frame.headers;
  const own: CanvasPart = {
    ...part,
    ...(j !== undefined && (part.g !== undefined || part.v) && { j }),
    ...(r && { r }),
    ...(d !== undefined && children.length > 0 && { d }),
    ...(l && { l }),
    ...(e && { e }),
  };
  return {
    name: n,
    queueName: q,
    data: {
      ...(p !== undefined && { p }),
      ...(h && { h }),
      ...(t && { t }),
      ...(frame.rootId !== undefined && frame.rootId !== id && { r: frame.rootId }),
      ...(x !== undefined && { x }),
      // What others get is stored.
      ...(k === 0 && whenFailed === undefined && !l && { k }),
      c: own,
    },
    opts: {
      jobId: id,
      attempts: a,
      backoff: { type: DECIDED_BACKOFF },
      priority: y,
      ...(d !== undefined && children.length === 0 && { delay: d }),
      ...frame.retention,
      ...failureOption(whenFailed),
    },
    ...(children.length > 0 && { children }),
  };
}

/** A job of the library's own. @internal */
export function nodeJob(
  path: string,
  part: CanvasPart,
  children: FlowJob[],
  frame: Frame,
  whenFailed: WhenFailed | undefined,
): FlowJob {
  const id = idAt(INTERNAL_QUEUE, path);
  const { headers, stamps, rootId, retention } = frame;
  return {
    name: CANVAS_TASK,
    queueName: INTERNAL_QUEUE,
    data: {
      ...(headers && { h: headers }),
      ...(stamps && stamps.length > 0 && { t: stamps }),
      ...(rootId !== undefined && rootId !== id && { r: rootId }),
      c: part,
    },
    opts: {
      jobId: id,
      attempts: NODE_ATTEMPTS,
      backoff: { type: DECIDED_BACKOFF },
      priority: NODE_PRIORITY,
      ...retention,
      ...failureOption(whenFailed),
    },
    ...(children.length > 0 && { children }),
  };
}

/** All jobs of flows. @internal */
export function* jobsOf(flows: readonly FlowJob[]): Generator<FlowJob> {
  for (const flow of flows) {
    yield flow;
    if (flow.children) yield* jobsOf(flow.children);
  }
}
