import Table from 'cli-table3';
import { UsageError } from '../../test/support/command-line.js';
import type { Measurement } from './meter.js';
import { median, medianRatio, rotated } from './rounds.js';
import type { StoreName } from './stores.js';

/** The variant that the others are compared with. */
export const BASE = 'raw';
/** The same as {@link BASE}: what they differ in is the noise. */
export const CONTROL = 'raw-again';

/** One situation in which several variants do the same work. */
export interface Row {
  readonly name: string;
  readonly variants: readonly string[];
  measure(variant: string): Promise<Measurement>;
}

/** Two variants whose rates are compared. */
export interface RatePair {
  readonly row: string;
  readonly of: string;
  /** {@link BASE} by default. */
  readonly to?: string;
  /** Of another row. */
  readonly toRow?: string;
  /** 1 by default. */
  readonly divisor?: number;
}

/** Before the names of what was not measured on Redis. */
export const ROW_PREFIX: Record<StoreName, string> = { redis: '', postgres: 'pg_', embedded: 'embedded_' };

interface Choice {
  readonly rounds: number;
  readonly rows: readonly string[] | undefined;
  readonly variants: readonly string[] | undefined;
}

/** Measures the variants of all rows in turn, and what they say of each other. */
export class Comparison {
  private readonly measured = new Map<string, Map<string, Measurement[]>>();

  private constructor() {}

  static async of(all: readonly Row[], { rounds, rows, variants }: Choice): Promise<Comparison> {
    const comparison = new Comparison();
    assertKnown('rows', rows, new Set(all.map(({ name }) => name)));
    assertKnown('variants', variants, new Set(all.flatMap((row) => row.variants)));
    const chosen = all.filter(({ name }) => rows?.includes(name) ?? true);
    for (let round = 0; round < rounds; round++) {
      for (const row of chosen) {
        const compared = row.variants.filter((variant) => variant === BASE || (variants?.includes(variant) ?? true));
        for (const variant of rotated(compared, round)) {
          const measurement = await row.measure(variant);
          comparison.series(row.name, variant).push(measurement);
          const figures = `${figure(measurement.rate)} jobs/s  ${figure(measurement.cpu)} µs CPU/job`;
          console.error(`round ${round + 1}/${rounds}  ${row.name}  ${variant}  ${figures}`);
        }
      }
    }
    return comparison;
  }

  /** Undefined when one of the two was not measured. */
  ratio({ row, of, to = BASE, toRow = row, divisor = 1 }: RatePair): number | undefined {
    const [numerators, denominators] = [this.rates(row, of), this.rates(toRow, to)];
    if (!numerators || !denominators) return undefined;
    return Number((medianRatio(numerators, denominators) / divisor).toFixed(3));
  }

  /** Those that could be computed. */
  ratios(wanted: Readonly<Record<string, RatePair>>): Record<string, number> {
    const computed = Object.entries(wanted).map(([name, pair]) => [name, this.ratio(pair)] as const);
    return Object.fromEntries(computed.filter((entry): entry is [string, number] => entry[1] !== undefined));
  }

  /** Jobs per second by row, and beside them the CPU of a job in microseconds. */
  absolutes(): Record<string, Record<string, number>> {
    const rows = [...this.measured].flatMap(([row, variants]) => {
      const of = (key: keyof Measurement) =>
        Object.fromEntries(
          [...variants].map(([variant, series]) => [variant, Math.round(median(series.map((one) => one[key])))]),
        );
      return [
        [row, of('rate')],
        [`${row}_cpu_us`, of('cpu')],
      ] as const;
    });
    return Object.fromEntries(rows);
  }

  table(): string {
    const table = new Table({
      head: ['row', 'variant', 'jobs/s', 'slowest', 'fastest', 'of raw', 'CPU µs/job', 'of raw'],
      colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
      style: { compact: true, head: [], border: [] },
    });
    for (const [row, variants] of this.measured) {
      const cpuOfBase = variants.get(BASE)!.map(({ cpu }) => cpu);
      for (const [variant, series] of variants) {
        const rates = series.map(({ rate }) => rate);
        const cpu = series.map((one) => one.cpu);
        table.push([
          row,
          variant,
          ...[median(rates), Math.min(...rates), Math.max(...rates)].map(figure),
          this.ratio({ row, of: variant })!.toFixed(3),
          figure(median(cpu)),
          medianRatio(cpu, cpuOfBase).toFixed(2),
        ]);
      }
    }
    return table.toString();
  }

  private series(row: string, variant: string): Measurement[] {
    let variants = this.measured.get(row);
    if (!variants) this.measured.set(row, (variants = new Map()));
    let series = variants.get(variant);
    if (!series) variants.set(variant, (series = []));
    return series;
  }

  private rates(row: string, variant: string): number[] | undefined {
    return this.measured
      .get(row)
      ?.get(variant)
      ?.map(({ rate }) => rate);
  }
}

/** @throws {UsageError} when something else was asked for. */
export function assertKnown(option: string, asked: readonly string[] | undefined, known: ReadonlySet<string>): void {
  const unknown = asked?.filter((name) => !known.has(name)) ?? [];
  if (unknown.length === 0) return;
  throw new UsageError(`--${option} takes some of ${[...known].join(', ')} here, not "${unknown.join(', ')}".`);
}

export function figure(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
