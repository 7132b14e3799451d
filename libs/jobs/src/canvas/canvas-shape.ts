import { idAt, memberPath, relayPath, stepPath } from './canvas-ids.js';
import { INTERNAL_QUEUE } from './canvas-part.js';
import { segmentsOf } from './compile-canvas.js';
import {
  isGroup,
  isHeader,
  isPlacedStream,
  isTask,
  stepsOf,
  type PlacedCanvas,
  type PlacedGroup,
  type PlacedStep,
} from './placed-canvas.js';

/** The jobs that a canvas has or will have, known before they are there. @internal */
export interface CanvasShape {
  readonly id: string;
  /** The step before. */
  readonly parent?: () => CanvasShape | undefined;
  /** The members of the group that it waits for. */
  readonly children?: () => CanvasShape[];
}

/** @internal */
export function shapeOf(canvas: PlacedCanvas, path: string): CanvasShape {
  const pieces = segmentsOf(stepsOf(canvas));
  const relay = (n: number): CanvasShape => {
    const own = relayPath(path, n);
    const before = n > 0 ? { parent: () => relay(n - 1) } : {};
    return {
      id: idAt(INTERNAL_QUEUE, own),
      ...before,
      children: () => [shapeOf({ s: pieces[n]! }, memberPath(own, 0))],
    };
  };
  const last = pieces.at(-1)!;
  return stepShape(last, last.length - 1, path, pieces.length > 1 ? () => relay(pieces.length - 2) : undefined);
}

function stepShape(
  steps: readonly PlacedStep[],
  n: number,
  chain: string,
  before: (() => CanvasShape) | undefined,
): CanvasShape {
  const path = n === steps.length - 1 ? chain : stepPath(chain, n);
  const step = steps[n]!;
  const id = idAt(isTask(step) ? step.q : INTERNAL_QUEUE, path);
  const header = isGroup(step) ? n : isHeader(steps, n - 1) ? n - 1 : undefined;
  const first = header ?? n;
  const parent = first > 0 ? () => stepShape(steps, first - 1, chain, before) : before;
  return {
    id,
    ...(parent && { parent }),
    ...(header !== undefined && { children: () => membersOf(steps[header] as PlacedGroup, path) }),
  };
}

function membersOf({ g }: PlacedGroup, owner: string): CanvasShape[] {
  return isPlacedStream(g) ? [] : g.map((member, n) => shapeOf(member, memberPath(owner, n)));
}
