import { cronTiming, everyTiming } from '../schedule/schedule-options.js';
import { InvalidScheduleError } from '../schedule/schedule.errors.js';
import { onceAt } from '../schedule/once.js';
import type { ScheduleSpec } from '../schedule/schedule-record.js';
import type { NestCron, NestSchedule } from '../task/nest-schedule-metadata.js';

type Times = Pick<ScheduleSpec, 'timing' | 'start' | 'end' | 'delay'>;

/** Names that the package under @nestjs/schedule has and croner has not. */
const PRESETS: Readonly<Record<string, string>> = {
  '@secondly': '* * * * * *',
  '@minutely': '0 * * * * *',
  '@weekdays': '0 0 0 * * 1-5',
  '@weekends': '0 0 0 * * 0,6',
};
/** All days, which count there as if nothing was said of them, and here by their form. */
const ALL_DAYS = /^(\*\/1|1-31)$/;
const ALL_WEEKDAYS = /^(\*\/1|0-[67]|1-7)$/;
const FIXED_ZONE = /^UTC([+-]\d{1,2})(?::(\d{2}))?$/i;

/**
 * The times of a method of @nestjs/schedule as it has them, in the zone of this process where it names none.
 *
 * @throws {@link InvalidScheduleError}
 * @internal
 */
export function nestTiming(schedule: NestSchedule, place: string): Times {
  if (schedule.kind === 'interval') return { timing: everyTiming(schedule.ms, place) };
  if (schedule.kind === 'timeout') return { ...onceAt(0), delay: requireDelay(schedule.ms, place) };
  const { cronTime, ...options } = schedule.cron;
  const at = timeOf(cronTime);
  if (at !== undefined) return onceAt(at);
  return {
    timing: cronTiming(typeof cronTime === 'string' ? expressionOf(cronTime) : cronTime, zoneOf(options), place),
  };
}

/** Of a Date, or of luxon's DateTime. */
function timeOf(cronTime: unknown): number | undefined {
  if (typeof cronTime !== 'object' || cronTime === null) return undefined;
  const time = cronTime.valueOf();
  return typeof time === 'number' && !Number.isNaN(time) ? time : undefined;
}

function expressionOf(cronTime: string): string {
  const expression = PRESETS[cronTime.trim().toLowerCase()] ?? cronTime.trim();
  const fields = expression.split(/\s+/);
  if (fields.length < 5) return expression;
  const [day, weekday] = [fields.length - 3, fields.length - 1];
  if (ALL_DAYS.test(fields[day]!)) fields[day] = '*';
  if (ALL_WEEKDAYS.test(fields[weekday]!)) fields[weekday] = '*';
  return fields.join(' ');
}

function zoneOf({ timeZone, utcOffset }: Omit<NestCron, 'cronTime'>): { timeZone?: string; utcOffset?: number } {
  if (typeof timeZone === 'string' && timeZone !== '') {
    const fixed = FIXED_ZONE.exec(timeZone);
    if (fixed) return { utcOffset: minutesOf(fixed[1]!, fixed[2] ?? '0') };
    return { timeZone: /^(local|system|default)$/i.test(timeZone) ? localZone() : timeZone };
  }
  return utcOffset === undefined || utcOffset === null ? { timeZone: localZone() } : { utcOffset: utcOffset as number };
}

function minutesOf(hours: string, minutes: string): number {
  return Number(hours) * 60 + (hours.startsWith('-') ? -1 : 1) * Number(minutes);
}

function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** As setTimeout takes it, which makes 1 of what is none. */
function requireDelay(ms: number | undefined, place: string): number {
  if (ms === undefined) return 0;
  if (ms <= 2 ** 31 - 1) return Math.max(0, Math.round(ms));
  throw new InvalidScheduleError(place, `must have a delay of at most ${2 ** 31 - 1} ms, but it is ${ms}.`);
}
