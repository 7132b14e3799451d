import type { Sample } from './read-metric.js';

/** How many observed values fell between which bounds. */
export class HistogramTally {
  private readonly counts: number[];
  private sum = 0;

  /** @param bounds - upper ones, in seconds, rising. */
  constructor(private readonly bounds: readonly number[]) {
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  /** @param duration - milliseconds. */
  add(duration: number): void {
    // A clock may be set back, and Prometheus takes a sum that falls for a process that began anew.
    const seconds = duration > 0 ? duration / 1_000 : 0;
    const { bounds, counts } = this;
    let n = 0;
    while (n < bounds.length && seconds > bounds[n]!) n++;
    counts[n]!++;
    this.sum += seconds;
  }

  /** As Prometheus wants them: each bucket has what the ones below it have. */
  samples(name: string, labels: Sample['labels']): Sample[] {
    let count = 0;
    const buckets = this.counts.map((own, n): Sample => {
      count += own;
      return { metricName: `${name}_bucket`, labels: { ...labels, le: this.bounds[n] ?? '+Inf' }, value: count };
    });
    if (count === 0) return [];
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}
