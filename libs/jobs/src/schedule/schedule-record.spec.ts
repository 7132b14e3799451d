import { keptOf, type FiredRun } from './schedule-record.js';

const run = (n: number, by?: FiredRun['by']): FiredRun => ({
  at: n,
  id: `default_x-${n}`,
  sentAt: n,
  ...(by && { by }),
});

describe('the jobs that a schedule remembers', () => {
  it('[S7] are the last twenty', () => {
    const runs = Array.from({ length: 30 }, (_, n) => run(30 - n));
    expect(keptOf(runs)).toEqual(runs.slice(0, 20));
  });

  it('[S4] have the last one for a time that had come among them, however many are sent by hand', () => {
    const byHand = Array.from({ length: 25 }, (_, n) => run(50 - n, n % 2 ? 'trigger' : 'backfill'));
    expect(keptOf([...byHand, run(2), run(1)])).toEqual([...byHand.slice(0, 19), run(2)]);
    expect(keptOf(byHand)).toEqual(byHand.slice(0, 20));
  });
});
