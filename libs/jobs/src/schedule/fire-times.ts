import { CronTimes, type CronTiming } from './cron-times.js';

/** When a schedule fires, as it is stored: by a cron expression, or at fixed intervals. Milliseconds. @internal */
export type Timing = CronTiming | { readonly every: number; readonly from: number };

/** Between which times, both included, in milliseconds since the epoch. @internal */
export interface FireWindow {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/**
 * The nominal times of a schedule: what they are by the clock on the wall, whatever happens in the fleet. A time that the
 * clock skips in spring is the first one after the gap, and one that comes twice in autumn is the first of the two; what has
 * a wildcard or a step in its hours, minutes or seconds goes by the time that passes. The rule is that of Vixie cron.
 *
 * @throws what croner says of a pattern or a zone that is none.
 * @internal
 */
export class FireTimes {
  private readonly cron: CronTimes | undefined;

  constructor(
    private readonly timing: Timing,
    private readonly window: FireWindow = {},
  ) {
    if (!('every' in timing)) this.cron = CronTimes.of(timing);
  }

  /** The first one after a time; undefined when there is none. */
  after(time: number): number | undefined {
    const { start = -Infinity, end = Infinity } = this.window;
    const next = this.nextAfter(Math.max(time, start - 1));
    return next === undefined || next > end ? undefined : next;
  }

  /** The last one that is not after a time. */
  lastUntil(time: number): number | undefined {
    const { start = -Infinity, end = Infinity } = this.window;
    const last = this.previousUntil(Math.min(time, end));
    return last === undefined || last < start ? undefined : last;
  }

  /** Those after `from` and not after `to`, in order, at most `most`. */
  between(from: number, to: number, most: number): number[] {
    const times: number[] = [];
    for (
      let time = this.after(from);
      time !== undefined && time <= to && times.length < most;
      time = this.after(time)
    ) {
      times.push(time);
    }
    return times;
  }

  private nextAfter(time: number): number | undefined {
    if (this.cron) return this.cron.after(time);
    const { every, from } = this.timing as { every: number; from: number };
    return from + (Math.floor((time - from) / every) + 1) * every;
  }

  private previousUntil(time: number): number | undefined {
    if (this.cron) return this.cron.lastUntil(time);
    const { every, from } = this.timing as { every: number; from: number };
    return from + Math.floor((time - from) / every) * every;
  }
}
