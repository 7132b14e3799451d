import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobsModule, JobsService, RateLimited, Task, task } from '../../libs/jobs/src/index.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

/** In a second, and at once. */
export const RATE = 1_000;
export const BURST = 100;
/** Jobs that are enqueued together. */
const BATCH = 500;

/** Told of each job when its task begins. */
export abstract class Starts {
  abstract add(): void;
}

@Injectable()
class LimitedTasks {
  constructor(private readonly starts: Starts) {}

  @Task({ name: 'limited', queue: QUEUE })
  @RateLimited({ limit: `${RATE}/s`, burst: BURST })
  run(): void {
    this.starts.add();
  }
}

/** An app whose only task may begin so often. */
export async function startLimitedApp(
  store: StoreAddress,
  { starts, concurrency, workers }: { starts: Starts; concurrency: number; workers: boolean },
): Promise<INestApplicationContext> {
  class LimitedModule {}
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace: NAMESPACE,
    queues: { [QUEUE]: { concurrency } },
    workers,
  });
  const providers = [LimitedTasks, { provide: Starts, useValue: starts }];
  return NestFactory.createApplicationContext(
    { module: LimitedModule, providers, imports: [jobs] },
    { logger: ['error'] },
  );
}

/** Enqueues jobs that no worker takes yet. */
export async function enqueueLimited(store: StoreAddress, count: number): Promise<void> {
  const app = await startLimitedApp(store, { starts: { add() {} }, concurrency: 1, workers: false });
  const jobs = app.get(JobsService);
  for (let left = count; left > 0; left -= BATCH) {
    const length = Math.min(BATCH, left);
    await jobs.enqueueMany(Array.from({ length }, () => ({ task: task(LimitedTasks, 'run') })));
  }
  await app.close();
}
