import { jest } from '@jest/globals';
import { Deadlines, type TimedAttempt } from './deadlines.js';

describe('the time of attempts', () => {
  let deadlines: Deadlines;
  let passed: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    deadlines = new Deadlines();
    passed = [];
  });
  afterEach(() => jest.useRealTimers());

  function attempt(name: string): TimedAttempt {
    return {
      passSoftLimit: (limit) => passed.push(`${name} soft ${limit}`),
      passHardLimit: (limit) => passed.push(`${name} hard ${limit}`),
    };
  }

  it('passes the soft limit, then the hard one, and then no more', () => {
    deadlines.watch(attempt('a'), { soft: 100, hard: 250 });
    jest.advanceTimersByTime(99);
    expect(passed).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(passed).toEqual(['a soft 100']);
    jest.advanceTimersByTime(149);
    expect(passed).toEqual(['a soft 100']);
    jest.advanceTimersByTime(1);
    expect(passed).toEqual(['a soft 100', 'a hard 250']);
    jest.advanceTimersByTime(10_000);
    expect(passed).toHaveLength(2);
  });

  it.each([
    [{ soft: 100, hard: undefined }, ['a soft 100']],
    [{ soft: undefined, hard: 100 }, ['a hard 100']],
    [{ soft: undefined, hard: undefined }, []],
  ])('knows limits like %j', (limit, expected) => {
    deadlines.watch(attempt('a'), limit);
    jest.advanceTimersByTime(10_000);
    expect(passed).toEqual(expected);
  });

  it('says nothing to one that is forgotten, before and after its soft limit', () => {
    const limit = { soft: 100, hard: 200 };
    const early = deadlines.watch(attempt('early'), limit);
    const late = deadlines.watch(attempt('late'), limit);
    deadlines.forget(early);
    jest.advanceTimersByTime(150);
    deadlines.forget(late);
    deadlines.forget(undefined);
    jest.advanceTimersByTime(10_000);
    expect(passed).toEqual(['late soft 100']);
  });

  it('gives each its own time, with one timer for all of one limit', () => {
    const limit = { soft: undefined, hard: 100 };
    const first = deadlines.watch(attempt('first'), limit);
    for (const name of ['a', 'b', 'c']) {
      jest.advanceTimersByTime(20);
      deadlines.watch(attempt(name), limit);
      expect(jest.getTimerCount()).toBe(1);
    }
    deadlines.forget(first);
    jest.advanceTimersByTime(59);
    expect(passed).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(passed).toEqual(['a hard 100']);
    jest.advanceTimersByTime(20);
    expect(passed).toEqual(['a hard 100', 'b hard 100']);
    jest.advanceTimersByTime(20);
    expect(passed).toHaveLength(3);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps the order of deadlines when the process was blocked over a soft limit', () => {
    deadlines.watch(attempt('blocked'), { soft: 100, hard: 200 });
    jest.advanceTimersByTime(50);
    // The clock goes on, and no timer fires.
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + 10_000);
    deadlines.watch(attempt('later'), { soft: undefined, hard: 100 });
    jest.advanceTimersByTime(50);
    expect(passed).toEqual(['blocked soft 100']);
    clock.mockReturnValue(now + 10_100);
    jest.advanceTimersByTime(50);
    expect(passed).toEqual(['blocked soft 100', 'later hard 100', 'blocked hard 200']);
    clock.mockRestore();
  });
});
