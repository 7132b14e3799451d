/**
 * A canvas of which everything is decided but the results: which queue, how urgent, how often. It stands in the jobs that
 * add parts of it later, so the keys are short.
 *
 * @internal
 */
export type PlacedCanvas = PlacedStep | PlacedChain;

/** @internal */
export type PlacedStep = PlacedTask | PlacedGroup;

/** @internal */
export interface PlacedTask {
  /** Of the task. */
  readonly n: string;
  /** Queue. */
  readonly q: string;
  readonly p?: unknown;
  /** See {@link JoinsPrevious}. */
  readonly j?: JoinsPrevious;
  /** The payload is a list, of which each is the payload of one run. */
  readonly r?: 1;
  /** BullMQ's priority. */
  readonly y: number;
  readonly a: number;
  /** Delay, in milliseconds. */
  readonly d?: number;
  /** Milliseconds since the epoch, in a link or an errback since that is started: not started after it. */
  readonly x?: number;
  readonly t?: readonly string[];
  /** Headers, where they are not those of the canvas. */
  readonly h?: Readonly<Record<string, string>>;
  readonly k?: 0;
  /** Links. */
  readonly l?: readonly PlacedCanvas[];
  readonly e?: readonly Errback[];
}

/** How the result of the step before becomes a part of the payload: it is the payload, it is merged, it is set at a key. @internal */
export type JoinsPrevious = 'p' | 'm' | { readonly i: string };

/** @internal */
export interface PlacedGroup {
  readonly g: readonly PlacedCanvas[] | PlacedStream;
  /** Failed members are told of. */
  readonly a?: 1;
  /** Of its members. */
  readonly t?: readonly string[];
  readonly l?: readonly PlacedCanvas[];
  readonly e?: readonly Errback[];
}

/** The members of a group that are added as they come. Never stored. @internal */
export type PlacedStream = { readonly stream: AsyncIterator<PlacedCanvas> };

/** At least two steps, none of which is a chain. @internal */
export interface PlacedChain {
  readonly s: readonly PlacedStep[];
}

/** @internal */
export interface Errback {
  readonly c: PlacedCanvas;
  /** How many jobs of a chain it is for, this one and those before; absent when it is for this one alone. */
  readonly w?: number;
}

/** @internal */
export function isTask(canvas: PlacedCanvas): canvas is PlacedTask {
  return 'n' in canvas;
}

/** @internal */
export function isGroup(canvas: PlacedCanvas): canvas is PlacedGroup {
  return 'g' in canvas;
}

/** @internal */
export function isPlacedStream(members: PlacedGroup['g']): members is PlacedStream {
  return 'stream' in members;
}

/** @internal */
export function stepsOf(canvas: PlacedCanvas): readonly PlacedStep[] {
  return 's' in canvas ? canvas.s : [canvas];
}

/** Whether the job of the step after a group waits for the members itself, and no job has to gather their results. @internal */
export function isHeader(steps: readonly PlacedStep[], n: number): boolean {
  const [step, next] = [steps[n], steps[n + 1]];
  if (!step || !next) return false;
  return isGroup(step) && !step.l && !step.e && isTask(next);
}

/** How many jobs stand one after another in these steps. @internal */
export function jobsInARow(steps: readonly PlacedStep[]): number {
  return steps.filter((_, n) => !isHeader(steps, n)).length;
}

/** The tags that each job of a canvas has. @internal */
export function tagsOfAll(canvas: PlacedCanvas): readonly string[] {
  const [first, ...others] = stepsOf(canvas).map(({ t }) => t ?? []);
  return first!.filter((tag) => others.every((tags) => tags.includes(tag)));
}

/** A link or an errback, when it is known when it starts. @internal */
export function startingAt<Canvas extends PlacedCanvas>(canvas: Canvas, now: number): Canvas;
export function startingAt(canvas: PlacedCanvas, now: number): PlacedCanvas {
  if (isTask(canvas)) return canvas.x === undefined ? canvas : { ...canvas, x: now + canvas.x };
  if ('s' in canvas) return { s: canvas.s.map((step) => startingAt(step, now)) };
  return isPlacedStream(canvas.g) ? canvas : { ...canvas, g: canvas.g.map((member) => startingAt(member, now)) };
}
