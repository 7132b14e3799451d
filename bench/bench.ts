import type { Store, StoreName } from './support/stores.js';

/** What the command line asks of a bench. */
export interface BenchRequest {
  /** The chosen ones, running and empty. */
  readonly stores: readonly Store[];
  /** How often everything is measured; the median counts. */
  readonly rounds: number;
  /** Timed jobs of one measurement; undefined: as many as suit the row. */
  readonly jobs: number | undefined;
  /** The rows to measure; undefined: all. */
  readonly rows: readonly string[] | undefined;
  /** The variants to measure beside `raw`, of those that a row has; undefined: all. */
  readonly variants: readonly string[] | undefined;
}

export interface BenchResult {
  /** For people. */
  readonly table: string;
  /** What has to be known to read the table. */
  readonly notes: readonly string[];
  /** Figures that mean the same on every machine, because both sides were measured in this run. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Absolute figures, by row and variant: of this machine only. */
  readonly rates: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** One file of `bench/`, listed in `run.ts`. */
export interface Bench {
  /** One line, for the usage. */
  readonly about: string;
  /** Those that are measured when the command line names none. */
  readonly backends: readonly StoreName[];
  /** Those that the bench knows how to measure. */
  readonly supports: readonly StoreName[];
  /** How often everything is measured when the command line does not say. */
  readonly rounds: number;
  run(request: BenchRequest): Promise<BenchResult>;
}
