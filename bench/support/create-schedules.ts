// Makes schedules in a process of its own, and says how fast that went.
import 'reflect-metadata';
import { serveParent } from './alone.js';
import { cpuSince, machineTime } from './clock.js';
import type { Measurement } from './meter.js';
import { createMany, openSchedules } from './scheduled-jobs.js';
import type { StoreAddress } from './stores.js';

export interface CreateSchedulesRequest {
  readonly by: 'raw' | 'ours';
  readonly store: StoreAddress;
  readonly warmUp: number;
  readonly schedules: number;
}

serveParent(async ({ by, store, warmUp, schedules }: CreateSchedulesRequest): Promise<Measurement> => {
  const app = await openSchedules(by, store);
  await createMany(app, 0, warmUp);
  const [from, cpuAtStart] = [machineTime(), process.cpuUsage()];
  await createMany(app, warmUp, schedules);
  const seconds = (machineTime() - from) / 1_000;
  const cpu = cpuSince(cpuAtStart) / schedules;
  await app.close();
  return { rate: schedules / seconds, cpu };
});
