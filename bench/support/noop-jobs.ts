import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  JobsModule,
  JobsService,
  Task,
  task,
  type JobsConnection,
  type WorkersOption,
} from '../../libs/jobs/src/index.js';
import { Meter } from './meter.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

export const QUEUE = 'default';
const PRODUCERS = 64;

@Injectable()
class NoopTasks {
  constructor(private readonly meter: Meter) {}

  @Task({ name: 'noop', queue: QUEUE })
  run(_payload: { n: number }): void {
    this.meter.count();
  }
}

interface NoopAppSettings {
  readonly meter: Meter;
  readonly concurrency: number;
  readonly workers: WorkersOption;
}

/** A real Nest app with one task that does nothing but count. */
export async function startNoopApp(store: StoreAddress, settings: NoopAppSettings): Promise<INestApplicationContext> {
  const { meter, concurrency, workers } = settings;
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace: NAMESPACE,
    queues: { [QUEUE]: { concurrency } },
    workers,
  });
  class NoopModule {}
  const module = { module: NoopModule, providers: [NoopTasks, { provide: Meter, useValue: meter }], imports: [jobs] };
  return NestFactory.createApplicationContext(module, { logger: ['error'] });
}

/** Enqueues jobs that no worker takes yet. */
export async function enqueueNoops(store: StoreAddress, count: number): Promise<void> {
  const app = await startNoopApp(store, { meter: new Meter(1, 1), concurrency: 1, workers: false });
  const jobs = app.get(JobsService);
  const noop = task(NoopTasks, 'run');
  // Alone, because BullMQ warns of a leak when more than ten callers wait for its first connection.
  await jobs.enqueue(noop, { n: 0 });
  let next = 1;
  const produce = async (): Promise<void> => {
    while (next < count) await jobs.enqueue(noop, { n: next++ });
  };
  await Promise.all(Array.from({ length: PRODUCERS }, produce));
  await app.close();
}

function connectionOf({ name, location }: StoreAddress): JobsConnection {
  return name === 'embedded' ? { embedded: { dataDir: location } } : location;
}
