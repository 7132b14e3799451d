import { inspect } from 'node:util';
import { InvalidArgumentError, requireDuration } from '../client/invalid-argument.error.js';
import { toTime } from '../client/enqueue-options.js';
import type { Duration } from '../options/jobs-options.js';
import { isPlainObject } from '../options/jobs-options.error.js';
import type { MissedPolicy } from './due-fires.js';
import { FireTimes, type Timing } from './fire-times.js';
import { InvalidScheduleError } from './schedule.errors.js';
import type { OverlapPolicy, ScheduleSpec } from './schedule-record.js';

/** What a schedule does beside firing. @publicApi */
export interface SchedulePolicies {
  /**
   * When the schedule's last job, or one that was triggered after it, has not ended as the next is due: `allow` sends it all
   * the same; `skip` does not, and counts it; `queue` sends it, and it begins when those before it have ended;
   * `cancel-previous` cancels what has not ended.
   *
   * @default 'allow'
   */
  readonly overlap?: OverlapPolicy;
  /** The same as `overlap: 'skip'`, as @nestjs/schedule calls it. @default false */
  readonly waitForCompletion?: boolean;
  /**
   * When times have passed while nobody could send their jobs: `run-once` sends one, for the newest of them; `skip` none that
   * is more than a minute late; `all` one for each.
   *
   * @default 'run-once'
   */
  readonly missed?: MissedPolicy;
  /** How old a time may be that is made up for. @default '1d' */
  readonly missedWithin?: Duration;
  /** Each job begins up to so much later, by chance but always the same for one time, so that not all begin at once. @default 0 */
  readonly jitter?: Duration;
  /** The first time that counts: a Date, or ISO-8601 with a zone. @default now */
  readonly startAt?: Date | string;
  /** The last time that counts. @default without end */
  readonly endAt?: Date | string;
  /** After so many jobs it ends. @default without end */
  readonly maxRuns?: number;
}

/** The zone of a cron expression: one of the two. @publicApi */
export interface CronZone {
  /** An IANA zone, as in `'Europe/Berlin'`. @default 'UTC' */
  readonly timeZone?: string;
  /** Minutes from UTC, the same all year. @default that of `timeZone` */
  readonly utcOffset?: number;
}

const DAY = 24 * 3_600_000;
const SHORTEST = 1_000;
const LONGEST = 366 * DAY;
const OVERLAPS: readonly OverlapPolicy[] = ['allow', 'skip', 'queue', 'cancel-previous'];
const MISSED: readonly MissedPolicy[] = ['run-once', 'skip', 'all'];

/** Letters and digits, for a part of the ids of its jobs. @internal */
export const SCHEDULE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** @internal */
export const SCHEDULE_NAME_RULE =
  '1 to 100 letters, digits, dots, dashes and underscores, of which the first is a letter or a digit';

/** @internal */
export function requireScheduleName(value: unknown, place: string): string {
  if (typeof value === 'string' && SCHEDULE_NAME.test(value)) return value;
  throw new InvalidScheduleError(place, `must have a name of ${SCHEDULE_NAME_RULE}, but it is ${shown(value)}.`);
}

/** @throws {@link InvalidScheduleError} @internal */
export function cronTiming(expression: unknown, { timeZone, utcOffset }: CronZone, place: string): Timing {
  if (typeof expression !== 'string') {
    throw new InvalidScheduleError(
      place,
      `must have a cron expression like '0 2 * * *', but it is ${shown(expression)}.`,
    );
  }
  // The parser takes a date, too, for the one time.
  if (/^\s*\d{4}-\d/.test(expression)) {
    const fix = 'For one time say { runAt } to enqueue(), or { every, startAt, maxRuns: 1 }';
    throw new InvalidScheduleError(place, `has no cron expression in ${shown(expression)}: it is a date. ${fix}.`);
  }
  if (timeZone !== undefined && utcOffset !== undefined) {
    throw new InvalidScheduleError(place, 'must have "timeZone" or "utcOffset", not both: leave one of them out.');
  }
  if (utcOffset !== undefined && (!Number.isInteger(utcOffset) || Math.abs(utcOffset) > 18 * 60)) {
    throw new InvalidScheduleError(
      place,
      `must have a "utcOffset" of whole minutes, as in -210, but it is ${shown(utcOffset)}.`,
    );
  }
  if (timeZone !== undefined && !isZone(timeZone)) {
    throw new InvalidScheduleError(
      place,
      `must have an IANA zone as "timeZone", as in 'Europe/Berlin', but it is ${shown(timeZone)}.`,
    );
  }
  const timing: Timing = {
    cron: expression.trim(),
    ...(utcOffset === undefined ? { zone: timeZone ?? 'UTC' } : { offset: utcOffset }),
  };
  let next: number | undefined;
  try {
    next = new FireTimes(timing).after(Date.now());
  } catch (error) {
    throw new InvalidScheduleError(
      place,
      `has no cron expression in ${shown(expression)}: ${reasonOf(error as Error)}.`,
      {
        cause: error,
      },
    );
  }
  if (next !== undefined) return timing;
  throw new InvalidScheduleError(place, `never fires: no day is one of ${shown(expression)}. Mend the expression.`);
}

/** Of what has a cron expression or an interval. @throws {@link InvalidScheduleError} @internal */
export function timingOf(given: CronZone & { cron?: string; every?: Duration }, place: string): Timing {
  const { cron, every, timeZone, utcOffset } = given;
  if ((cron === undefined) === (every === undefined)) {
    throw new InvalidScheduleError(place, 'must have "cron" or "every", one of the two.');
  }
  if (every === undefined) return cronTiming(cron, given, place);
  if (timeZone === undefined && utcOffset === undefined) return everyTiming(every, place);
  throw new InvalidScheduleError(place, 'has a zone beside "every", which has none: leave it out.');
}

/** @throws {@link InvalidScheduleError} @internal */
export function everyTiming(interval: unknown, place: string): Timing {
  const every = asSchedule(place, () => requireDuration('the interval', interval as Duration));
  if (every >= SHORTEST && every <= LONGEST) return { every, from: 0 };
  throw new InvalidScheduleError(
    place,
    `must have an interval from 1 second to 366 days, but it is ${shown(interval)}.`,
  );
}

type Policies = Omit<ScheduleSpec, 'timing' | 'template' | 'owner' | 'description'>;

/** @throws {@link InvalidScheduleError} @internal */
export function readPolicies(options: SchedulePolicies, place: string): Policies {
  const {
    overlap,
    waitForCompletion,
    missed = 'run-once',
    missedWithin = DAY,
    jitter = 0,
    startAt,
    endAt,
    maxRuns,
  } = options;
  const must = (what: string, expected: string, actual: unknown): never => {
    throw new InvalidScheduleError(place, `must have ${expected} as "${what}", but it is ${shown(actual)}.`);
  };
  if (overlap !== undefined && !OVERLAPS.includes(overlap)) must('overlap', oneOf(OVERLAPS), overlap);
  if (!MISSED.includes(missed)) must('missed', oneOf(MISSED), missed);
  if (waitForCompletion !== undefined && typeof waitForCompletion !== 'boolean') {
    must('waitForCompletion', 'true or false', waitForCompletion);
  }
  if (waitForCompletion && overlap !== undefined && overlap !== 'skip') {
    must('overlap', "'skip', or nothing beside waitForCompletion", overlap);
  }
  if (maxRuns !== undefined && (!Number.isInteger(maxRuns) || maxRuns < 1)) {
    must('maxRuns', 'a whole number above zero', maxRuns);
  }
  const within = asSchedule(place, () => requireDuration('missedWithin', missedWithin));
  const spread = asSchedule(place, () => requireDuration('jitter', jitter));
  const start = startAt === undefined ? undefined : asSchedule(place, () => toTime(startAt, 'startAt'));
  const end = endAt === undefined ? undefined : asSchedule(place, () => toTime(endAt, 'endAt'));
  if (start !== undefined && end !== undefined && end < start) must('endAt', 'a time after "startAt"', endAt);
  return {
    overlap: overlap ?? (waitForCompletion ? 'skip' : 'allow'),
    missed,
    within,
    ...(spread > 0 && { jitter: spread }),
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
    ...(maxRuns !== undefined && { maxRuns }),
  };
}

/** @throws {@link InvalidScheduleError} for a key that it has not. @internal */
export function assertScheduleKeys(options: unknown, keys: readonly string[], place: string): void {
  if (!isPlainObject(options)) {
    throw new InvalidScheduleError(place, `must have an object of options, but it is ${shown(options)}.`);
  }
  const unknown = Object.keys(options).find((key) => !keys.includes(key));
  if (unknown === undefined) return;
  throw new InvalidScheduleError(place, `has no option "${unknown}". Known here: ${keys.join(', ')}.`);
}

/** @internal */
export const POLICY_KEYS: readonly (keyof SchedulePolicies)[] = [
  'overlap',
  'waitForCompletion',
  'missed',
  'missedWithin',
  'jitter',
  'startAt',
  'endAt',
  'maxRuns',
];

/** What is wrong with a value, said of the schedule that has it. @internal */
export function asSchedule<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidScheduleError) throw error;
    const { message } = error as InvalidArgumentError;
    throw new InvalidScheduleError(place, `is not well given. ${message.replace(/^nestjs-jobs: /, '')}`, {
      cause: error,
    });
  }
}

/** What the parser says, as a part of our sentence: of fields it knows a seventh, which is not taken here. */
function reasonOf({ message }: Error): string {
  if (/parts are required|requires exactly/.test(message))
    return 'it must have five fields, or six with the seconds first';
  const reason = message.replace(/^Cron[A-Za-z]*: /, '').replace(/\.$/, '');
  return reason.charAt(0).toLowerCase() + reason.slice(1);
}

function isZone(zone: unknown): boolean {
  try {
    if (typeof zone !== 'string') return false;
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

function oneOf(values: readonly string[]): string {
  return values
    .map((value) => `'${value}'`)
    .join(', ')
    .replace(/, (?='[^,]*$)/, ' or ');
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 80))
    : inspect(value, { depth: 0, breakLength: Infinity }).slice(0, 80);
}
