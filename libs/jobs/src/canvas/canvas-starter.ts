import { Inject, Injectable } from '@nestjs/common';
import { asEnqueueError } from '../client/enqueue-options.js';
import { claimInDoubt, currentJob } from '../client/current-job.js';
import { readTags, type JobHeaders } from '../client/headers-and-tags.js';
import type { ExpectedStart } from '../client/job-handle.js';
import { JobsClient } from '../client/jobs-client.js';
import { retention } from '../client/prepared-job.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { CanvasFlows } from './canvas-flows.js';
import { CanvasGate, nodePlace } from './canvas-gate.js';
import { CanvasHandle } from './canvas-handle.js';
import { idAt, newPath, stepPath } from './canvas-ids.js';
import type { JobPlace } from './canvas-part.js';
import { CanvasPlacer } from './canvas-placer.js';
import { CanvasReader } from './canvas-reader.js';
import { CanvasTooLargeError } from './canvas.errors.js';
import { shapeOf } from './canvas-shape.js';
import { compileCanvas, MOST_AT_ONCE, segmentsOf, weightOf } from './compile-canvas.js';
import type { FlowJob, Frame } from './flow-job.js';
import {
  isGroup,
  isHeader,
  isPlacedStream,
  stepsOf,
  type PlacedCanvas,
  type PlacedGroup,
  type PlacedStream,
  type PlacedTask,
} from './placed-canvas.js';
import type { Signature } from './signature.js';
import { readSignatureOptions, START_KEYS, type SignatureOptions } from './signature-options.js';

/**
 * Options of {@link JobsService.start}: those of each part that does not set its own. A `delay` is that of the first step.
 * `headers` and `tags` are those of links and errbacks too.
 *
 * @publicApi
 */
export type StartOptions = Omit<SignatureOptions, 'keepResult' | 'tags'> & {
  /** Tags that each job of the canvas has, as by {@link Signature.stamp}. @default none */
  readonly tags?: readonly string[];
};

/** Starts canvases. @internal */
@Injectable()
export class CanvasStarter {
  constructor(
    private readonly placer: CanvasPlacer,
    private readonly flows: CanvasFlows,
    private readonly gate: CanvasGate,
    private readonly reader: CanvasReader,
    private readonly client: JobsClient,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  async start<Result>(canvas: Signature<undefined, Result>, options: StartOptions = {}): Promise<CanvasHandle<Result>> {
    const doubt = claimInDoubt();
    if (doubt) await doubt;
    currentJob()?.assertNotCutOff?.('start');
    const { tags, ...given } = readSignatureOptions(options, 'the options of start()', START_KEYS);
    const stamps = asEnqueueError(() => readTags(tags, 'tags')) ?? [];
    const placing = await this.placer.placeAll(canvas, { stamps, options: given, mayStream: true });
    const stream = streamOf(placing.canvas);
    try {
      return await this.add(placing.canvas, stamps, placing.headers);
    } catch (error) {
      // Whatever went wrong, and also while it was not read: who gives the members learns that no more are wanted.
      await stream?.return?.().catch(() => undefined);
      throw error;
    }
  }

  private async add<Result>(
    canvas: PlacedCanvas,
    stamps: readonly string[],
    headers: JobHeaders | undefined,
  ): Promise<CanvasHandle<Result>> {
    const { canvas: placed, rest } = await readBeginning(canvas);
    const path = newPath();
    const shape = shapeOf(placed, path);
    const frame = this.frameOf(shape.id, stamps, headers);
    if (rest) {
      await this.addStream(placed, rest, path, frame);
      return new CanvasHandle<Result>({ id: shape.id }, this.client, this.reader);
    }
    const flow = compileCanvas(placed, { path }, frame);
    await this.flows.add(flow);
    return new CanvasHandle<Result>(shape, this.client, this.reader, startOf(flow));
  }

  private async addStream(
    canvas: PlacedCanvas,
    members: AsyncIterable<PlacedCanvas>,
    path: string,
    frame: Frame,
  ): Promise<void> {
    const steps = stepsOf(canvas);
    const [group] = steps as [PlacedGroup];
    if (segmentsOf(steps).length > 1) {
      throw new CanvasTooLargeError(
        `has a large group of an iterable and ${steps.length - 1} steps after it, more than are stored together`,
        'Let a step of it start the rest as a canvas of its own.',
      );
    }
    const flow = compileCanvas(canvas, { path }, frame);
    await this.gate.addAll(flow, ownerOf(canvas, path), members, group.a ? 'ignore' : 'fail', frame);
  }

  private frameOf(topId: string, stamps: readonly string[], headers: JobHeaders | undefined): Frame {
    return {
      headers,
      rootId: currentJob()?.rootId ?? topId,
      stamps: stamps.length > 0 ? stamps : undefined,
      retention: retention(this.options),
    };
  }
}

function startOf({ children, opts: { delay = 0 } }: FlowJob): ExpectedStart {
  if (children) return { state: 'blocked', delay: 0 };
  return { state: delay > 0 ? 'scheduled' : 'pending', delay };
}

/** The job that waits for the group at the beginning of a canvas. */
function ownerOf(canvas: PlacedCanvas, path: string): JobPlace {
  const steps = stepsOf(canvas);
  const at = (n: number): string => (n === steps.length - 1 ? path : stepPath(path, n));
  if (!isHeader(steps, 0)) return nodePlace(at(0));
  const { q } = steps[1] as PlacedTask;
  return { id: idAt(q, at(1)), q };
}

/** The members of a group at the beginning that are not read yet. */
function streamOf(canvas: PlacedCanvas): PlacedStream['stream'] | undefined {
  const [first] = stepsOf(canvas);
  return first && isGroup(first) && isPlacedStream(first.g) ? first.g.stream : undefined;
}

/**
 * Reads a group at the beginning whose members come of an iterable: a small one wholly. Of a large one, the canvas comes
 * back with an empty group, and beside it the members.
 */
async function readBeginning(
  canvas: PlacedCanvas,
): Promise<{ canvas: PlacedCanvas; rest?: AsyncIterable<PlacedCanvas> }> {
  const stream = streamOf(canvas);
  if (!stream) return { canvas };
  const [first, ...others] = stepsOf(canvas);
  const withMembers = (g: readonly PlacedCanvas[]): PlacedCanvas => {
    const group = { ...(first as PlacedGroup), g };
    return others.length > 0 ? { s: [group, ...others] } : group;
  };
  const read: PlacedCanvas[] = [];
  for (let weight = 0; weight < MOST_AT_ONCE;) {
    const { done, value } = await stream.next();
    if (done) return { canvas: withMembers(read) };
    read.push(value);
    weight += weightOf(value);
  }
  const rest = async function* (): AsyncGenerator<PlacedCanvas> {
    try {
      yield* read.splice(0);
      for (;;) {
        const { done, value } = await stream.next();
        if (done) return;
        yield value;
      }
    } finally {
      // Nobody may want the rest, since the canvas was cancelled.
      await stream.return?.();
    }
  };
  return { canvas: withMembers([]), rest: rest() };
}
