import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobsModule, Task, task } from '../../libs/jobs/src/index.js';
import type { Mail } from './mail-jobs.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { startRawWorkers } from './raw-engine.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

/** Beside {@link QUEUE}, for dead letters that are redriven before any clock runs. */
export const WARM_UP_QUEUE = 'warm-up';
/** How often a job runs that fails once. */
export const RUNS = 2;
/** Milliseconds between the two. */
export const RETRY_DELAY = 10;

/** Does what a task does. */
export abstract class Delivery {
  abstract attempt(n: number): void;
}

@Injectable()
class FailingMails {
  constructor(private readonly delivery: Delivery) {}

  @Task({ name: 'mails.retry', retry: { attempts: RUNS, delay: RETRY_DELAY, jitter: 'none' } })
  once({ n }: Mail): void {
    this.delivery.attempt(n);
  }

  @Task({ name: 'mails.fail', retry: { attempts: 1 } })
  always({ n }: Mail): void {
    this.delivery.attempt(n);
  }
}

export const failsOnce = task(FailingMails, 'once');
export const failsAlways = task(FailingMails, 'always');

export interface FailingWorkers {
  readonly concurrency: number;
  readonly delivery: Delivery;
  /** Nest logs the stack of each failed attempt; BullMQ alone logs nothing. Not by default. */
  readonly isLogging?: boolean;
}

/** An app that enqueues and redrives, and works as well when it is told how. */
export function startFailingApp(store: StoreAddress, workers?: FailingWorkers): Promise<INestApplicationContext> {
  const options = workers ? { concurrency: workers.concurrency } : {};
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace: NAMESPACE,
    queues: { [QUEUE]: options, [WARM_UP_QUEUE]: options },
    workers: workers !== undefined,
  });
  class FailingModule {}
  const providers = workers ? [FailingMails, { provide: Delivery, useValue: workers.delivery }] : [];
  const module = { module: FailingModule, providers, imports: [jobs] };
  return NestFactory.createApplicationContext(module, { logger: workers?.isLogging ? ['error'] : false });
}

/** Works failing jobs with this library, or with BullMQ alone. Returns what stops it. */
export async function startFailingWorkers(
  worker: 'raw' | 'ours',
  store: StoreAddress,
  workers: FailingWorkers,
): Promise<() => Promise<void>> {
  if (worker === 'raw') {
    const { concurrency, delivery } = workers;
    return startRawWorkers(store, { queues: [QUEUE, WARM_UP_QUEUE], concurrency }, async ({ data }) =>
      delivery.attempt((data as { p: Mail }).p.n),
    );
  }
  const app = await startFailingApp(store, workers);
  return () => app.close();
}
