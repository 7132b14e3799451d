// Enqueues at the times of a schedule, whether the jobs before are done or not.
import { serveParent } from './alone.js';
import { cpuSince, machineTime } from './clock.js';
import { keepPace } from './keep-pace.js';
import { openProducer, type ProducerSettings } from './producer.js';
import type { Arrivals } from './schedule.js';

/** Milliseconds between the request and the first arrival. */
const LEAD_TIME = 100;

export type ArrivalsRequest = ProducerSettings & {
  /** Undefined: as fast as `lanes` go that wait for the store's answer. */
  readonly arrivals: Arrivals | undefined;
};

export interface ArrivalsReport {
  /** By `n`: the id of its job. */
  readonly ids: readonly string[];
  /** By `n`: when it was due, and when the enqueue was called, as {@link machineTime} has it. */
  readonly due: readonly number[];
  readonly called: readonly number[];
  /** Microseconds for each job, that of the pacer included. */
  readonly cpu: number;
}

const LANES = 100;

serveParent(async (request: ArrivalsRequest): Promise<ArrivalsReport> => {
  const { jobs, arrivals } = request;
  // One more for the first connection, which has to be there when the clock starts.
  const producer = await openProducer({ ...request, jobs: jobs + 1 });
  await producer.one(jobs);
  const cpuAtStart = process.cpuUsage();
  const ids: string[] = [];
  const called: number[] = [];
  const enqueue = async (n: number): Promise<void> => {
    called[n] = machineTime();
    ids[n] = await producer.one(n);
  };
  const start = machineTime() + LEAD_TIME;
  if (arrivals) await keepPace({ start, arrivals }, enqueue);
  else await runLanes(jobs, enqueue);
  const cpu = cpuSince(cpuAtStart) / jobs;
  await producer.close();
  return { ids, due: arrivals?.map((time) => start + time) ?? called, called, cpu };
});

async function runLanes(jobs: number, enqueue: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const produce = async (): Promise<void> => {
    while (next < jobs) await enqueue(next++);
  };
  await Promise.all(Array.from({ length: LANES }, produce));
}
