import type { Figures, QueueFigures } from '../census/figures.js';
import { problemsOfFigures } from './figure-problems.js';
import type { ResolvedThresholds } from './jobs-health.options.js';

const AT = Date.now() - 3_600_000;
const NONE: ResolvedThresholds = { backlog: {}, oldest: {}, deadLetters: {} };

function problemsOf(figures: Partial<QueueFigures>, thresholds: Partial<ResolvedThresholds>): object[] {
  const queue = { queue: 'bulk', waiting: 0, delayed: 0, blocked: 0, running: 0, deadLetters: 0, paused: false };
  const counted: Figures = { at: AT, queues: [{ ...queue, ...figures }], locksWaiting: 0 };
  return problemsOfFigures(counted, new Set(['bulk']), () => ({ ...NONE, ...thresholds })).map(
    ({ kind, status, value, threshold }) => ({ kind, status, value, threshold }),
  );
}

describe('problems of what was counted', () => {
  it.each([
    [4, []],
    [5, [{ kind: 'backlog', status: 'degraded', value: 5, threshold: 5 }]],
    [6, [{ kind: 'backlog', status: 'degraded', value: 6, threshold: 5 }]],
    [7, [{ kind: 'backlog', status: 'down', value: 7, threshold: 7 }]],
  ])('[M3] begin at the threshold: %d', (waiting, problems) => {
    expect(problemsOf({ waiting }, { backlog: { degraded: 5, down: 7 } })).toEqual(problems);
  });

  it('[M3] take a job for as old as it was when it was counted: it may have begun since', () => {
    const oldest = { degraded: 1_000 };
    expect(problemsOf({ waiting: 1, oldestWaitingSince: AT - 999 }, { oldest })).toEqual([]);
    expect(problemsOf({ waiting: 1, oldestWaitingSince: AT - 1_000 }, { oldest })).toEqual([
      { kind: 'oldest', status: 'degraded', value: 1_000, threshold: 1_000 },
    ]);
  });
});
