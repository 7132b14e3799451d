import { toTime } from '../client/enqueue-options.js';
import type { Duration } from '../options/jobs-options.js';
import { FireTimes } from './fire-times.js';
import { asSchedule, assertScheduleKeys, timingOf, type CronZone } from './schedule-options.js';
import { InvalidScheduleError } from './schedule.errors.js';

/** When a schedule fires: the part of {@link NewSchedule} that says so. @publicApi */
export interface ScheduleTimes extends CronZone {
  /** A cron expression, as {@link Cron} takes it; or `every`. */
  readonly cron?: string;
  /** An interval, as {@link Every} takes it; or `cron`. */
  readonly every?: Duration;
}

/** Which times {@link nextTimes} gives. @publicApi */
export interface NextTimesOptions {
  /** From 1 to 1,000. @default 5 */
  readonly count?: number;
  /** They come after this: a Date, or ISO-8601 with a zone. @default now */
  readonly after?: Date | string;
}

const KEYS = ['cron', 'every', 'timeZone', 'utcOffset'];
const PLACE = 'nextTimes()';
const MOST = 1_000;

/**
 * The times at which a schedule would fire; nothing is stored, and no app is needed. It is for what must be known before
 * {@link Schedules.create}: whether an expression of a user's is one, how often it would fire, and what to show him. Of a
 * schedule that is there `jobs.schedules.next(name)` tells them.
 *
 * @returns at least one, fewer than `count` when there are no more.
 * @throws {@link InvalidScheduleError}, whose `problem` says what is wrong.
 * @example
 * ```ts
 * import { InvalidScheduleError, nextTimes } from 'nestjs-jobs';
 *
 * export function whatIsWrong(cron: string, timeZone: string): string | undefined {
 *   try {
 *     const [first, second] = nextTimes({ cron, timeZone }, { count: 2 });
 *     return second && second.getTime() - first!.getTime() < 60_000 ? 'fires too often' : undefined;
 *   } catch (error) {
 *     if (error instanceof InvalidScheduleError) return error.problem;
 *     throw error;
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function nextTimes(times: ScheduleTimes, { count = 5, after = new Date() }: NextTimesOptions = {}): Date[] {
  assertScheduleKeys(times, KEYS, PLACE);
  if (!Number.isInteger(count) || count < 1 || count > MOST) {
    throw new InvalidScheduleError(PLACE, `must have a "count" from 1 to ${MOST}, but it is ${String(count)}.`);
  }
  const from = asSchedule(PLACE, () => toTime(after, 'after'));
  const found = new FireTimes(timingOf(times, PLACE)).between(from, Infinity, count);
  return found.map((time) => new Date(time));
}
