import { dueFires, MOST_TOGETHER, type MissedPolicy } from './due-fires.js';
import { FireTimes } from './fire-times.js';

const SECOND = 1_000;
const times = new FireTimes({ every: SECOND, from: 0 });
const DAY = 86_400_000;
const due = (missed: MissedPolicy, last: number, now: number, within = DAY) =>
  dueFires(times, { last, now, missed, within });
const NOTHING = { fires: [], missed: 0, until: undefined, hasMore: false };

describe('what is due of a schedule', () => {
  it.each<MissedPolicy>(['run-once', 'skip', 'all'])(
    '[S5] %s: nothing before its time, and one at its time',
    (missed) => {
      expect(due(missed, 5_000, 5_999)).toEqual(NOTHING);
      expect(due(missed, 5_000, 5_000)).toEqual(NOTHING);
      // A clock that was set back.
      expect(due(missed, 5_000, 1_000)).toEqual(NOTHING);
      expect(due(missed, 5_000, 6_000)).toEqual({ fires: [6_000], missed: 0, until: 6_000, hasMore: false });
      expect(due(missed, 5_000, 6_900)).toEqual({ fires: [6_000], missed: 0, until: 6_000, hasMore: false });
    },
  );

  it('[S5] of several that passed: the newest, or all of them', () => {
    const newest = { fires: [9_000], missed: 3, until: 9_000, hasMore: false };
    expect(due('run-once', 5_000, 9_500)).toEqual(newest);
    expect(due('skip', 5_000, 9_500)).toEqual(newest);
    expect(due('all', 5_000, 9_500)).toEqual({
      fires: [6_000, 7_000, 8_000, 9_000],
      missed: 0,
      until: 9_000,
      hasMore: false,
    });
  });

  it('[S5] what is too old is not made up for', () => {
    const hourly = new FireTimes({ every: 3_600_000, from: 0 });
    const hour = (n: number): number => n * 3_600_000;
    const look = (missed: MissedPolicy, within: number) =>
      dueFires(hourly, { last: hour(1), now: hour(5) + 120_000, missed, within });
    expect(look('skip', DAY)).toEqual({ fires: [], missed: 4, until: hour(5), hasMore: false });
    expect(look('run-once', DAY)).toEqual({ fires: [hour(5)], missed: 3, until: hour(5), hasMore: false });
    expect(look('run-once', 60_000)).toEqual({ fires: [], missed: 4, until: hour(5), hasMore: false });
    expect(look('all', hour(1) + 120_000)).toEqual({
      fires: [hour(4), hour(5)],
      missed: 2,
      until: hour(5),
      hasMore: false,
    });
    expect(look('all', 60_000)).toEqual({ fires: [], missed: 4, until: hour(5), hasMore: false });
  });

  it('[S5] very many: some at a time', () => {
    const all: number[] = [];
    for (let last = 0, hasMore = true; hasMore;) {
      const found = due('all', last, 500 * SECOND);
      expect(found.fires.length).toBeLessThanOrEqual(MOST_TOGETHER);
      all.push(...found.fires);
      [last, hasMore] = [found.until!, found.hasMore];
    }
    expect(all).toEqual(Array.from({ length: 500 }, (_, n) => (n + 1) * SECOND));
  });
});
