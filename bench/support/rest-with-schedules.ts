// Works queues in which nothing is due, with many schedules or few, in a process of its own.
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveParent } from './alone.js';
import { cpuSince } from './clock.js';
import { createMany, onceAYear, openSchedules } from './scheduled-jobs.js';
import type { StoreAddress } from './stores.js';
import { openStoreWork } from './store-work.js';

export interface RestWithSchedulesRequest {
  readonly store: StoreAddress;
  readonly schedules: number;
  readonly milliseconds: number;
}

/** What happened in each second. */
export interface RestWithSchedules {
  /** That the store was sent. */
  readonly commands: number;
  /** Milliseconds of this process. */
  readonly cpu: number;
}

const CONCURRENCY = 10;
/** Milliseconds: what is left of the beginning. */
const SETTLING = 5_000;

serveParent(async ({ store, schedules, milliseconds }: RestWithSchedulesRequest): Promise<RestWithSchedules> => {
  const maker = await openSchedules('ours', store);
  await createMany(maker, 0, schedules, onceAYear);
  await maker.close();
  const app = await openSchedules('ours', store, { concurrency: CONCURRENCY });
  const work = await openStoreWork(store);
  await sleep(SETTLING);
  const [before, cpuAtStart] = [await work.commands(), process.cpuUsage()];
  await sleep(milliseconds);
  const commands = (await work.commands()) - before;
  const cpu = cpuSince(cpuAtStart) / milliseconds;
  await work.close();
  await app.close();
  return { commands: (commands * 1_000) / milliseconds, cpu };
});
