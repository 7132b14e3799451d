import type { Errback, JoinsPrevious, PlacedCanvas } from './placed-canvas.js';

/** What a job carries of the canvas that it is a part of. The keys are short because they are stored with every job. @internal */
export interface CanvasPart {
  /** What it takes of its children: the result of one, or the list of those of a group. */
  readonly g?: 1 | 2;
  /** The result of the step before as BullMQ keeps it, when that is known; in a list, since it may be null. */
  readonly v?: readonly [unknown];
  /** How it becomes a part of the payload. */
  readonly j?: JoinsPrevious;
  /** The payload is a list, of which each is the payload of one run. */
  readonly r?: 1;
  /** How long it waits when what is before it is done, in milliseconds. BullMQ's own delay would hold up failures too. */
  readonly d?: number;
  /** The id of the job of the step before. */
  readonly b?: string;
  /** How many members the group has, when that is known. */
  readonly t?: number;
  /** Another job adds the members, or some of them. */
  readonly s?: 1;
  /** Failed members are told of. */
  readonly a?: 1;
  /** A job of the library's own. */
  readonly n?: CanvasNodeWork;
  /** Links. */
  readonly l?: readonly PlacedCanvas[];
  readonly e?: readonly Errback[];
  /** What it has replaced itself with. */
  readonly x?: PlacedCanvas;
}

/** What a job of the library's own does. @internal */
export type CanvasNodeWork =
  /** Its result is what it takes of its children. */
  | { readonly k: 'gather' }
  /** Adds members to the group of another job. */
  | { readonly k: 'spawn'; readonly o: JobPlace; readonly m: readonly PlacedCanvas[]; readonly a?: 1 }
  /** Lets a group go on whose members are added by a process that starts the canvas. */
  | { readonly k: 'gate'; readonly done?: 1; readonly error?: string }
  /** Starts a link or an errback, when the other job has ended so. */
  | { readonly k: 'call'; readonly o: JobPlace; readonly at: 'succeeded' | 'failed'; readonly c: PlacedCanvas };

/** @internal */
export interface JobPlace {
  readonly id: string;
  readonly q: string;
}

/** The queue of jobs of the library's own, alarms of schedules among them: a full queue of the app's holds none of them up. @internal */
export const INTERNAL_QUEUE = 'jobs-internal';
/** @internal */
export const CANVAS_TASK = 'nestjs-jobs.canvas';
/** How often a job of the library's own is tried. @internal */
export const NODE_ATTEMPTS = 20;
/** BullMQ's: that of what is urgent. @internal */
export const NODE_PRIORITY = 3;
