import { retryDelay, type ResolvedRetryPolicy } from './retry-policy.js';

const policy = (override: Partial<ResolvedRetryPolicy>): ResolvedRetryPolicy => ({
  attempts: 10,
  delay: 4,
  factor: 2,
  maxDelay: 100,
  jitter: 0,
  ...override,
});

describe('[R1] the wait before a retry', () => {
  it('grows by the factor up to the cap', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7].map((retry) => retryDelay(policy({}), retry));
    // The fourth is Celery's get_exponential_backoff_interval(factor=4, retries=3, maximum=100) = 32.
    expect(waits).toEqual([4, 8, 16, 32, 64, 100, 100]);
  });

  it('stays at the cap however many retries there are', () => {
    expect(retryDelay(policy({}), 5_000)).toBe(100);
  });

  it('is drawn from all of it with full jitter, and from its upper part with a fraction', () => {
    const drawn = (jitter: number): number[] =>
      [0, 0.5, 1].map((random) => retryDelay(policy({ jitter }), 4, () => random));
    expect(drawn(1)).toEqual([32, 16, 0]);
    expect(drawn(0.25)).toEqual([32, 28, 24]);
  });
});
