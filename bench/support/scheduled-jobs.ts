import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobsModule, JobsService, Task, task, type JobContext } from '../../libs/jobs/src/index.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { openRawEngine, rawWorkerOptions } from './raw-engine.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

/** Schedules that are made at the same time. */
const TOGETHER = 50;
const ATTEMPTS = 3;

/** Is told of each job that begins, and for which time it is. */
export type OnFire = (nominal: number) => void;

export interface SchedulesOptions {
  /** How many jobs are run at once; undefined: none. */
  readonly concurrency?: number | undefined;
  readonly onFire?: OnFire;
}

/** Makes schedules, and runs their jobs. */
export interface SchedulesApp {
  create(n: number, cron: string): Promise<unknown>;
  close(): Promise<void>;
}

abstract class Fired {
  abstract tell(nominal: number): void;
}

@Injectable()
class Reports {
  constructor(private readonly fired: Fired) {}

  @Task({ name: 'reports.send' })
  send(_payload: { user: string }, { schedule }: JobContext): void {
    this.fired.tell(schedule!.scheduledFor.getTime());
  }
}

const sendReport = task(Reports, 'send');

const OPEN = { ours: openOurs, raw: openRaw };

/** Schedules of this library, or of BullMQ alone with a queue and a worker. */
export function openSchedules(
  by: 'ours' | 'raw',
  store: StoreAddress,
  options: SchedulesOptions = {},
): Promise<SchedulesApp> {
  return OPEN[by](store, options);
}

/** As many as a store with users has: each with a name, and all of them with one of a day's minutes. */
export async function createMany(app: SchedulesApp, from: number, count: number, cron = timeOfDay): Promise<void> {
  let n = from;
  const lane = async (): Promise<void> => {
    while (n < from + count) {
      const own = n++;
      await app.create(own, cron(own));
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, lane));
}

/** In one night of the year, in which no bench is run. */
export function onceAYear(n: number): string {
  return `${n % 60} ${Math.floor(n / 60) % 24} 24 12 *`;
}

function timeOfDay(n: number): string {
  return `${n % 60} ${Math.floor(n / 60) % 24} * * *`;
}

async function openOurs(
  store: StoreAddress,
  { concurrency, onFire = () => {} }: SchedulesOptions,
): Promise<SchedulesApp> {
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace: NAMESPACE,
    defaultQueue: QUEUE,
    queues: { [QUEUE]: concurrency === undefined ? {} : { concurrency } },
    workers: concurrency !== undefined,
  });
  class ReportsModule {}
  const providers = [Reports, { provide: Fired, useValue: { tell: onFire } }];
  const module = { module: ReportsModule, providers, imports: [jobs] };
  const app: INestApplicationContext = await NestFactory.createApplicationContext(module, { logger: ['error'] });
  const { schedules } = app.get(JobsService);
  return {
    create: (n, cron) => schedules.create({ name: nameOf(n), cron, task: sendReport, payload: { user: nameOf(n) } }),
    close: () => app.close(),
  };
}

async function openRaw(
  store: StoreAddress,
  { concurrency, onFire = () => {} }: SchedulesOptions,
): Promise<SchedulesApp> {
  if (store.name !== 'redis') await (await openOurs(store, {})).close();
  const engine = await openRawEngine(store);
  const queue = engine.queue(QUEUE);
  const worker =
    concurrency === undefined
      ? undefined
      : engine.worker(QUEUE, async ({ id }) => onFire(Number(id!.split(':').at(-1))), rawWorkerOptions(concurrency));
  worker?.on('error', (error) => console.error(error));
  void worker?.run();
  const opts = { attempts: ATTEMPTS, backoff: { type: 'exponential', delay: 1_000 }, removeOnComplete: { age: 3_600 } };
  return {
    create: (n, pattern) =>
      queue.upsertJobScheduler(
        nameOf(n),
        { pattern, tz: 'UTC' },
        { name: 'reports.send', data: { user: nameOf(n) }, opts },
      ),
    async close() {
      await worker?.close();
      await queue.close();
      await engine.disconnect();
    },
  };
}

function nameOf(n: number): string {
  return `report-of-user-${n}`;
}
