import { declareScheduledTask, type TaskMethodDecorator } from '../task/task.decorator.js';
import type { Duration } from '../options/jobs-options.js';
import type { CronZone, SchedulePolicies } from './schedule-options.js';

/** What {@link Cron} and {@link Every} have in common. @publicApi */
export interface DeclaredScheduleOptions<Payload = undefined> extends SchedulePolicies {
  /**
   * Of the schedule, in the whole fleet: under it stands what is stored, and it is a part of the ids of its jobs. 1 to 100
   * letters, digits, dots, dashes and underscores.
   *
   * @default the task's name
   */
  readonly name?: string;
  /** What each job gets. @default nothing */
  readonly payload?: Payload;
  /** True: it does not fire, as if it were not there. @default false */
  readonly disabled?: boolean;
  /** Of each job. @default none */
  readonly tags?: readonly string[];
}

/** Options of {@link Cron}. @publicApi */
export type CronOptions<Payload = undefined> = DeclaredScheduleOptions<Payload> & CronZone;
/** Options of {@link Every}. @publicApi */
export type EveryOptions<Payload = undefined> = DeclaredScheduleOptions<Payload>;

/** What a decorator said, unchecked: at boot, complaints can name the method. @internal */
export type DeclaredSchedule = { readonly decorator: '@Cron' | '@Every' } & (
  | { readonly decorator: '@Cron'; readonly expression: unknown; readonly options: CronOptions<unknown> }
  | { readonly decorator: '@Every'; readonly interval: unknown; readonly options: EveryOptions<unknown> }
);

/** Read by every copy of the library that an app may have installed, hence a string. */
const SCHEDULES = 'nestjs-jobs:schedules';

/**
 * Has a method run at the times of a cron expression, once in the whole fleet for each of them. The method is a task, with
 * or without `@Task`: retries, time limits, `@OnFailure` and all else are those of any job. What it knows of its time is in
 * `job.schedule`.
 *
 * Five fields, or six with the seconds first: `*`, lists, ranges, steps, names of days and months, `L` (the last), `15W`
 * (the working day nearest to the 15th), `MON#2` (the second Monday), and `@daily` and its like. So every `CronExpression`
 * of @nestjs/schedule can stand there.
 *
 * The idea is crontab's, as Celery Beat and @nestjs/schedule have it.
 *
 * @throws {@link InvalidScheduleError} when the app boots, for an expression, a zone or an option that is none.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { Cron, type JobContext } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Cleaning {
 *   @Cron('30 2 * * *', { timeZone: 'Europe/Berlin', overlap: 'skip' })
 *   async nightly(_payload: undefined, job: JobContext): Promise<string> {
 *     return `cleaned for ${job.schedule?.scheduledFor.toISOString()}`;
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function Cron<Payload = undefined>(
  expression: string,
  options: CronOptions<Payload> = {},
): TaskMethodDecorator<Payload, unknown> {
  return declare({ decorator: '@Cron', expression, options });
}

/**
 * Has a method run at fixed intervals, once in the whole fleet for each. The times are whole multiples of the interval since
 * 1970, so that they stay the same whichever process starts when: `@Every('5m')` fires at 12:00, 12:05 and so on. Everything
 * else is as with {@link Cron}.
 *
 * @param interval - from 1 second on; milliseconds, or text as `'5m'`.
 * @throws {@link InvalidScheduleError} when the app boots.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { Every } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Rates {
 *   @Every('5m', { missed: 'skip', payload: { currency: 'EUR' } })
 *   async refresh(payload: { currency: string }): Promise<void> {
 *     await fetch(`https://rates.example/${payload.currency}`);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function Every<Payload = undefined>(
  interval: Duration,
  options: EveryOptions<Payload> = {},
): TaskMethodDecorator<Payload, unknown> {
  return declare({ decorator: '@Every', interval, options });
}

function declare<Payload>(schedule: DeclaredSchedule): TaskMethodDecorator<Payload, unknown> {
  return ((target: object, method: string | symbol, descriptor: PropertyDescriptor | undefined) => {
    const handler = declareScheduledTask(target, method, descriptor);
    // Decorators are applied from the last to the first.
    Reflect.defineMetadata(SCHEDULES, [schedule, ...schedulesOf(handler)], handler);
  }) as TaskMethodDecorator<Payload, unknown>;
}

/** In the order in which they stand over the method. @internal */
export function schedulesOf(handler: object): readonly DeclaredSchedule[] {
  return (Reflect.getMetadata(SCHEDULES, handler) as readonly DeclaredSchedule[] | undefined) ?? [];
}
