// Makes schedules that are all due in the same seconds, and says how late their jobs begin.
import 'reflect-metadata';
import { serveParent } from './alone.js';
import { cpuSince } from './clock.js';
import { quantile } from './rounds.js';
import { createMany, openSchedules } from './scheduled-jobs.js';
import type { StoreAddress } from './stores.js';

export interface FireSchedulesRequest {
  readonly by: 'raw' | 'ours';
  readonly store: StoreAddress;
  readonly schedules: number;
  /** Seconds from one time to the next: a divisor of 60, longer than all jobs of one time take. */
  readonly period: number;
  readonly concurrency: number;
}

/** Milliseconds from the time of a job until it begins. */
export interface Lag {
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the process for each of these jobs, with all that makes a schedule send them. */
  readonly cpu: number;
}

/** Milliseconds after which jobs that have not begun are given up. */
const PATIENCE = 120_000;

serveParent(async ({ by, store, schedules, period, concurrency }: FireSchedulesRequest): Promise<Lag> => {
  /** By their nominal time. */
  const lags = new Map<number, number[]>();
  let complete: () => void = () => {};
  /** The first time by which all are there, which warms up, and the one after it, which counts. */
  let timed = Infinity;
  let cpuAtStart = process.cpuUsage();
  let fired = 0;
  const app = await openSchedules(by, store, {
    concurrency,
    onFire(nominal) {
      const all = lags.get(nominal) ?? [];
      lags.set(nominal, all);
      all.push(Date.now() - nominal);
      fired++;
      if (nominal === timed && all.length === schedules) complete();
    },
  });
  await createMany(app, 0, schedules, () => `*/${period} * * * * *`);
  [cpuAtStart, fired] = [process.cpuUsage(), 0];
  timed = (Math.floor(Date.now() / 1_000 / period) + 2) * period * 1_000;
  await new Promise<void>((resolve, reject) => {
    complete = resolve;
    const giveUp = (): void => reject(new Error(`${lags.get(timed)?.length ?? 0} of ${schedules} jobs have begun`));
    setTimeout(giveUp, PATIENCE).unref();
  });
  const cpu = cpuSince(cpuAtStart) / fired;
  await app.close();
  const counted = lags.get(timed)!;
  return { p50: quantile(counted, 0.5), p99: quantile(counted, 0.99), cpu };
});
