import { describeGroup } from './group-statistics.js';
import { percentile } from './percentile.js';

describe('percentile', () => {
  const values = Float64Array.from([15, 20, 35, 40, 50]);

  // numpy.percentile([15, 20, 35, 40, 50], [0, 25, 40, 50, 95, 100])
  it.each([
    [0, 15],
    [0.25, 20],
    [0.4, 29],
    [0.5, 35],
    [0.95, 48],
    [1, 50],
  ])('%d is interpolated between the closest ranks', (q, expected) => {
    expect(percentile(values, q)).toBeCloseTo(expected, 10);
  });

  it('of one value is that value', () => {
    expect(percentile(Float64Array.of(7), 0.95)).toBe(7);
  });
});

describe('describeGroup', () => {
  it('describes values in any order', () => {
    expect(describeGroup('a', [3, -1, 2, 10])).toEqual({
      group: 'a',
      count: 4,
      sum: 14,
      mean: 3.5,
      min: -1,
      max: 10,
      p50: 2.5,
      p95: 8.95,
    });
  });

  it('sums without the noise of floating point', () => {
    expect(describeGroup('a', [0.1, 0.2]).sum).toBe(0.3);
    expect(describeGroup('a', Array<number>(1_000_000).fill(0.1)).sum).toBe(100_000);
    expect(describeGroup('a', [1e100, 1, -1e100]).sum).toBe(1);
  });

  it('does not change the values it is given', () => {
    const values = [3, 1, 2];
    describeGroup('a', values);
    expect(values).toEqual([3, 1, 2]);
  });
});
