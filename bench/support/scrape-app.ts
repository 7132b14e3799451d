// Serves metrics over HTTP in a process of its own, and scrapes itself.
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { JobsModule } from '../../libs/jobs/src/index.js';
import { JobsMetricsModule } from '../../libs/jobs/src/metrics/index.js';
import { serveParent } from './alone.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { quantile } from './rounds.js';
import type { StoreAddress } from './stores.js';

export interface ScrapeRequest {
  readonly store: StoreAddress;
  readonly namespace: string;
  /** What must be told to wait there. */
  readonly backlog: number;
  readonly milliseconds: number;
}

/** Milliseconds. */
export interface ScrapeReport {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
}

/** Milliseconds from scrape to scrape. */
const PAUSE = 40;
/** Scrapes whose code is cold. */
const WARM_UP = 50;

serveParent(async ({ store, namespace, backlog, milliseconds }: ScrapeRequest): Promise<ScrapeReport> => {
  const jobs = JobsModule.forRoot({ connection: connectionOf(store), namespace, workers: false });
  const module = { module: class ScrapedModule {}, imports: [jobs, JobsMetricsModule.forRoot()] };
  const app = await NestFactory.create(module, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/metrics`;
  const expected = `jobs_queue_depth{queue="${QUEUE}",state="waiting"} ${backlog}`;
  // It tells of the fleet as soon as it has announced itself.
  while (!(await scrape(url)).includes(expected)) await sleep(PAUSE);
  for (let n = 0; n < WARM_UP; n++) await scrape(url);
  const times: number[] = [];
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    const startedAt = performance.now();
    await scrape(url);
    times.push(performance.now() - startedAt);
    await sleep(PAUSE);
  }
  await app.close();
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  return { mean, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
});

async function scrape(url: string): Promise<string> {
  const response = await fetch(url);
  return response.text();
}
