import type { ScheduleSpec } from './schedule-record.js';

/** Further away than the window of the one time, and than anybody backfills. */
const A_YEAR = 366 * 24 * 3_600_000;

/** The times of a schedule that has one only. @internal */
export function onceAt(at: number): Required<Pick<ScheduleSpec, 'timing' | 'start' | 'end'>> {
  return { timing: { every: A_YEAR, from: at }, start: at, end: at };
}

/** Whether it has one time only. @internal */
export function isOnce({ timing, start, end }: Pick<ScheduleSpec, 'timing' | 'start' | 'end'>): boolean {
  return 'every' in timing && timing.every === A_YEAR && start !== undefined && start === timing.from && end === start;
}
