import { HistogramTally } from './histogram-tally.js';

describe('what a histogram counts', () => {
  it('[M2] is below a bound or at it, and of each bucket what the ones below it have', () => {
    const tally = new HistogramTally([0.1, 1]);
    for (const duration of [50, 100, 101, 5_000]) tally.add(duration);
    const values = tally
      .samples('waits', { task: 'a' })
      .map(({ metricName, labels, value }) => [metricName, labels['le'], value]);
    expect(values).toEqual([
      ['waits_bucket', 0.1, 2],
      ['waits_bucket', 1, 3],
      ['waits_bucket', '+Inf', 4],
      ['waits_sum', undefined, 5.251],
      ['waits_count', undefined, 4],
    ]);
  });

  it('[M2] never falls, whatever clocks do', () => {
    const tally = new HistogramTally([1]);
    for (const duration of [2_000, -3_600_000, Number.NaN]) tally.add(duration);
    expect(tally.samples('waits', {}).map(({ value }) => value)).toEqual([2, 3, 2, 3]);
  });
});
