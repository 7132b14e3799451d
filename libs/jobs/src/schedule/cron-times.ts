import { Cron } from 'croner';

/** A cron expression, and the clock that it is for. @internal */
export interface CronTiming {
  readonly cron: string;
  readonly zone?: string;
  readonly offset?: number;
}

/** Expressions that are kept. One of them takes some 80 kB, most of which is a list of years. */
const MOST_KEPT = 100;
const kept = new Map<string, CronTimes>();

/** The times of a cron expression, of which what was asked last is still known. @internal */
export class CronTimes {
  private readonly cron: Cron;
  /** From the first time on and before the second, the second is the next one. */
  private nextKnown: readonly [from: number, next: number] = [NaN, NaN];
  /** From the first time on and up to the second, the first is the last one. */
  private lastKnown: readonly [last: number, until: number] = [NaN, NaN];

  private constructor({ cron, zone, offset = zone === 'UTC' ? 0 : undefined }: CronTiming) {
    this.cron = new Cron(cron, {
      paused: true,
      mode: '5-or-6-parts',
      fixedTimeRule: 'no-wildcard',
      // As the package under @nestjs/schedule takes them.
      sloppyRanges: true,
      // With an offset, croner need not ask Intl for each time.
      ...(offset === undefined ? { timezone: zone } : { utcOffset: offset }),
    });
  }

  /**
   * The same object for the same expression: to parse one takes half as long as to compute a time of it.
   *
   * @throws what croner says of a pattern or a zone that is none.
   */
  static of(timing: CronTiming): CronTimes {
    const key = JSON.stringify([timing.cron, timing.zone, timing.offset]);
    const found = kept.get(key) ?? new CronTimes(timing);
    // The one that was asked for last stands last.
    kept.delete(key);
    kept.set(key, found);
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
    return found;
  }

  after(time: number): number | undefined {
    const [from, known] = this.nextKnown;
    if (time >= from && time < known) return known;
    const next = this.cron.nextRun(new Date(time))?.getTime();
    if (next !== undefined) this.nextKnown = [time, next];
    return next;
  }

  lastUntil(time: number): number | undefined {
    const [known, until] = this.lastKnown;
    if (time >= known && time <= until) return known;
    // It gives what is before a time, which is to be among them.
    const last = this.cron.previousRuns(1, new Date(time + 1))[0]?.getTime();
    if (last !== undefined) this.lastKnown = [last, time];
    return last;
  }
}
