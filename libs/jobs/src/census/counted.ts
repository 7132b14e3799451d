import type { Figures } from './figures.js';

/** Figures, and how old they are: by the clock of this process, from when it has them on. @internal */
export interface Counted {
  readonly figures: Figures;
  /** Milliseconds that the counting took. */
  readonly took: number;
  /** `performance.now()` when this process had them first, or began to count. */
  readonly seen: number;
  /** How old (ms) they were then. */
  readonly ageThen: number;
}

/** Milliseconds. @internal */
export function ageOf({ seen, ageThen }: Counted): number {
  return ageThen + performance.now() - seen;
}
