import type { Store } from './support/stores.js';

/** What the command line asks of a bench. */
export interface BenchRequest {
  /** The chosen ones, running and empty. */
  readonly stores: readonly Store[];
  /** How often everything is measured; the median counts. */
  readonly rounds: number;
  /** Timed jobs of one measurement; undefined: as many as suit the store. */
  readonly jobs: number | undefined;
}

export interface BenchResult {
  /** For people. */
  readonly table: string;
  /** What has to be known to read the table. */
  readonly notes: readonly string[];
  /** Figures that mean the same on every machine, because both sides were measured in this run. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Jobs per second, by row and variant: of this machine only. */
  readonly rates: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** One file of `bench/`, listed in `run.ts`. */
export interface Bench {
  /** One line, for the usage. */
  readonly about: string;
  run(request: BenchRequest): Promise<BenchResult>;
}
