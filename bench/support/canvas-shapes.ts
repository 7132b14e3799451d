/**
 * - `chord`: a group of `size` members, and a body that gets all of their results.
 * - `chain`: `size` steps, each of which gets the result of the one before.
 * - `spawned`: a step, a group of `size` members that get its result, and a body.
 */
export type Shape = 'chord' | 'chain' | 'spawned';

/** What the step before a spawned group gives. */
export const BEFORE = 1;

/** How many jobs with tasks one canvas has. */
export function jobsOf(shape: Shape, size: number): number {
  return { chord: size + 1, chain: size, spawned: size + 2 }[shape];
}

/** What the last task gives: the largest of the members' results, or the sum of all steps. */
export function resultOf(shape: Shape, size: number): number {
  return { chord: size - 1, chain: size, spawned: BEFORE + size - 1 }[shape];
}

export function largestOf(values: readonly number[]): number {
  return values.reduce((largest, value) => Math.max(largest, value), -Infinity);
}

/** Runs canvases of one shape, one after another, all workers being in this process. */
export interface CanvasRunner {
  /** From the call to the moment when the last task has its result, which comes back. */
  run(size: number): Promise<number>;
  close(): Promise<void>;
}
