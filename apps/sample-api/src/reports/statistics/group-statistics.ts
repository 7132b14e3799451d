import { percentile } from './percentile.js';

export interface GroupStatistics {
  group: string;
  count: number;
  sum: number;
  mean: number;
  min: number;
  max: number;
  p50: number;
  p95: number;
}

export function describeGroup(group: string, values: ArrayLike<number>): GroupStatistics {
  const ascending = Float64Array.from(values).sort();
  const sum = preciseSum(ascending);
  return {
    group,
    count: ascending.length,
    sum: withoutFloatNoise(sum),
    mean: withoutFloatNoise(sum / ascending.length),
    min: ascending[0] ?? Number.NaN,
    max: ascending[ascending.length - 1] ?? Number.NaN,
    p50: percentile(ascending, 0.5),
    p95: percentile(ascending, 0.95),
  };
}

/** The groups with the most rows first, equal ones by their mean, and then by name so that a re-run gives the same order. */
export function byRowsThenMean(a: GroupStatistics, b: GroupStatistics): number {
  return b.count - a.count || b.mean - a.mean || (a.group < b.group ? -1 : 1);
}

/** Neumaier's summation: a plain loop loses cents over a million rows. */
function preciseSum(values: Float64Array): number {
  let sum = 0;
  let lost = 0;
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return Number.isFinite(lost) ? sum + lost : sum;
}

/** 15 digits are all a double holds for certain; the 16th is what prints 0.30000000000000004. */
function withoutFloatNoise(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(15));
}
