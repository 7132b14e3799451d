import type { Queue } from 'bullmq';
import type { Figures } from '../census/figures.js';

/** What is counted, and how a dead letter and a lock are known. @internal */
export interface FiguresQuestion {
  readonly queues: readonly Queue[];
  /** Dead letters that failed before (ms since the epoch) are left out. */
  readonly deadLettersSince: number;
  /** Failed jobs whose reason begins so are no dead letters. */
  readonly exceptReason: string;
  /** Lines whose name begins so are those of locks. */
  readonly lockLines: string;
}

/** @internal */
export type StoreFigures = Omit<Figures, 'at'>;

/**
 * Counts what the store has: few steps whatever there is, none of which keeps the store from others for more than a few
 * milliseconds. Redis knows how many there are; a database counts the rows of jobs that have not ended, by their index.
 *
 * @internal
 */
export interface StoredFigures {
  read(question: FiguresQuestion): Promise<StoreFigures>;
}

/** Of one queue: of the jobs that failed last, cancelled ones too, more are not looked at. @internal */
export const MOST_FAILED_LOOKED_AT = 50_000;

/**
 * Priorities of which the first job is looked at for the one that waits longest. This library has eleven; what is added to
 * a queue past it may have others.
 *
 * @internal
 */
export const MOST_PRIORITIES = 32;

/** Lines before locks that are looked at: in those after them, by name, nobody is counted. @internal */
export const MOST_LINES = 10_000;
