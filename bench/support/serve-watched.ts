// Serves the events of jobs over HTTP, works jobs, or both, in a process of its own, and says what that costs.
import 'reflect-metadata';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { JobsService } from '../../libs/jobs/src/index.js';
import { serveParent } from './alone.js';
import { cpuSince, machineTime } from './clock.js';
import { keepPace } from './keep-pace.js';
import { mail } from './mail-jobs.js';
import { quantile } from './rounds.js';
import { poisson, seeded } from './schedule.js';
import type { StoreAddress } from './stores.js';
import { archiveReport, makeReport, Reporting, sendReport, startWatchedApp } from './watched-jobs.js';

export type WatchedRequest =
  /** Answers the url of an app that serves. `reports`: jobs that report at once. */
  | {
      readonly step: 'begin';
      readonly store: StoreAddress;
      readonly serves: boolean;
      readonly works: boolean;
      readonly reports: number;
    }
  /** Enqueues jobs to watch, and answers their ids: first those that report. */
  | { readonly step: 'fill'; readonly reports: number; readonly pending: number; readonly seed: number }
  /** Waits until so many report. */
  | { readonly step: 'reporting'; readonly reports: number }
  /** Answers how often they have reported. */
  | { readonly step: 'told' }
  /** Enqueues so many jobs, `rate` a second on average. */
  | { readonly step: 'drive'; readonly jobs: number; readonly rate: number; readonly seed: number }
  /** When all clients have left. */
  | { readonly step: 'memory' }
  | { readonly step: 'stop' };

export interface DriveReport {
  /** Milliseconds from the moment when an enqueue was due until the store had the job. */
  readonly p50: number;
  readonly p99: number;
  /** Milliseconds of CPU in a second. */
  readonly cpu: number;
  readonly seconds: number;
}

/** Megabytes after a garbage collection. */
export interface MemoryReport {
  readonly rss: number;
  readonly heap: number;
}

/** Milliseconds between the request and the first job. */
const LEAD_TIME = 100;
/** Milliseconds between two looks at what is awaited. */
const LOOK = 20;
/** Milliseconds for what is freed with a delay, as sockets are. */
const SETTLING = 1_000;
const MEGABYTE = 2 ** 20;
const reporting = new Reporting();
let app: NestExpressApplication;

serveParent(async (request: WatchedRequest): Promise<unknown> => {
  switch (request.step) {
    case 'begin':
      app = await startWatchedApp(request.store, { ...request, reporting });
      if (!request.serves) return void (await app.init());
      await app.listen(0, '127.0.0.1');
      return app.getUrl();
    case 'fill':
      return fill(request);
    case 'reporting':
      while (reporting.begun < request.reports) await sleep(LOOK);
      return undefined;
    case 'told':
      return reporting.told;
    case 'drive':
      return drive(request);
    case 'memory':
      return memory();
    case 'stop':
      reporting.stop.abort();
      await app.close();
      return undefined;
  }
});

async function fill({ reports, pending, seed }: WatchedRequest & { readonly step: 'fill' }): Promise<string[]> {
  const random = seeded(seed);
  const handles = await app
    .get(JobsService)
    .enqueueMany([
      ...Array.from({ length: reports }, () => ({ task: makeReport, payload: { lag: random() } })),
      ...Array.from({ length: pending }, () => ({ task: archiveReport, payload: { lag: random() } })),
    ]);
  return handles.map(({ id }) => id);
}

async function drive({ jobs, rate, seed }: WatchedRequest & { readonly step: 'drive' }): Promise<DriveReport> {
  const service = app.get(JobsService);
  const took: number[] = [];
  const arrivals = poisson(jobs, rate, seeded(seed));
  const start = machineTime() + LEAD_TIME;
  const cpuAtStart = process.cpuUsage();
  await keepPace({ start, arrivals }, async (n) => {
    await service.enqueue(sendReport, mail(n));
    took.push(machineTime() - start - arrivals[n]!);
  });
  const milliseconds = machineTime() - start + LEAD_TIME;
  const cpu = cpuSince(cpuAtStart) / milliseconds;
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99), cpu, seconds: milliseconds / 1_000 };
}

async function memory(): Promise<MemoryReport> {
  const server = app.getHttpServer() as Server;
  const connections = promisify(server.getConnections.bind(server));
  while ((await connections()) > 0) await sleep(LOOK);
  await sleep(SETTLING);
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: rss / MEGABYTE, heap: heapUsed / MEGABYTE };
}
