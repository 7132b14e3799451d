import {
  type CallHandler,
  type ExecutionContext,
  type INestApplicationContext,
  Injectable,
  type NestInterceptor,
  Scope,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { z } from 'zod';
import {
  Idempotent,
  JobsModule,
  JobsService,
  Locked,
  RateLimited,
  Task,
  task,
  type JobsConnection,
  type WorkersOption,
} from '../../libs/jobs/src/index.js';
import { JobsMetricsModule } from '../../libs/jobs/src/metrics/index.js';
import { Meter } from './meter.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

export const QUEUE = 'default';
/** What all of these tasks are called, so that any of them works the jobs that another one's process enqueued. */
export const NOOP = 'noop';
/** Jobs that are enqueued together. */
const BATCH = 500;

interface Payload {
  n: number;
}

const payloadSchema = z.object({ n: z.number().int() });

@Injectable()
class PassThrough implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Injectable()
class BareTasks {
  constructor(private readonly meter: Meter) {}

  @Task({ name: NOOP, queue: QUEUE })
  run(_payload: Payload): void {
    this.meter.count();
  }
}

@Injectable()
class InterceptedTasks {
  constructor(private readonly meter: Meter) {}

  @UseInterceptors(PassThrough)
  @Task({ name: NOOP, queue: QUEUE })
  run(_payload: Payload): void {
    this.meter.count();
  }
}

@Injectable()
class CheckedTasks {
  constructor(private readonly meter: Meter) {}

  @Task({ name: NOOP, queue: QUEUE, schema: payloadSchema })
  run(_payload: Payload): void {
    this.meter.count();
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestScopedTasks {
  constructor(private readonly meter: Meter) {}

  @Task({ name: NOOP, queue: QUEUE })
  run(_payload: Payload): void {
    this.meter.count();
  }
}

@Injectable()
class IdempotentTasks {
  constructor(private readonly meter: Meter) {}

  @Task({ name: NOOP, queue: QUEUE })
  @Idempotent({ key: ({ n }) => `order-${n}` })
  run(_payload: Payload): void {
    this.meter.count();
  }
}

@Injectable()
class LockedTasks {
  constructor(private readonly meter: Meter) {}

  @Task({ name: NOOP, queue: QUEUE })
  @Locked({ key: ({ n }) => `account-${n}` })
  run(_payload: Payload): void {
    this.meter.count();
  }
}

@Injectable()
class LimitedTasks {
  constructor(private readonly meter: Meter) {}

  @Task({ name: NOOP, queue: QUEUE })
  @RateLimited({ limit: '1000000/s' })
  run(_payload: Payload): void {
    this.meter.count();
  }
}

@Injectable()
class GuardedTasks {
  constructor(private readonly meter: Meter) {}

  @Task({ name: NOOP, queue: QUEUE })
  @RateLimited({ limit: '1000000/s' })
  @Locked({ key: ({ n }) => `account-${n}` })
  @Idempotent({ key: ({ n }) => `order-${n}` })
  run(_payload: Payload): void {
    this.meter.count();
  }
}

/** The app is the same but for the class that has the task. */
const HOSTS = {
  ours: BareTasks,
  interceptor: InterceptedTasks,
  schema: CheckedTasks,
  'request-scoped': RequestScopedTasks,
  idempotent: IdempotentTasks,
  locked: LockedTasks,
  limited: LimitedTasks,
  'all-three': GuardedTasks,
} as const satisfies Record<string, Type>;

export type NoopHost = keyof typeof HOSTS;

interface NoopAppSettings {
  readonly host: NoopHost;
  readonly meter: Meter;
  readonly concurrency: number;
  readonly workers: WorkersOption;
  /** Another one than that of all jobs. */
  readonly namespace?: string;
  readonly metrics?: boolean;
}

/** A real Nest app with one task that does nothing but count. */
export async function startNoopApp(store: StoreAddress, settings: NoopAppSettings): Promise<INestApplicationContext> {
  const { host, meter, concurrency, workers, namespace = NAMESPACE, metrics = false } = settings;
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace,
    queues: { [QUEUE]: { concurrency } },
    workers,
  });
  class NoopModule {}
  const providers = [HOSTS[host], { provide: Meter, useValue: meter }];
  const imports = metrics ? [jobs, JobsMetricsModule.forRoot()] : [jobs];
  const module = { module: NoopModule, providers, imports };
  return NestFactory.createApplicationContext(module, { logger: ['error'] });
}

/** Enqueues jobs that no worker takes yet. */
export async function enqueueNoops(store: StoreAddress, count: number, namespace = NAMESPACE): Promise<void> {
  const settings = { host: 'ours', meter: new Meter(1, 1), concurrency: 1, workers: false, namespace } as const;
  const app = await startNoopApp(store, settings);
  const jobs = app.get(JobsService);
  const noop = task(BareTasks, 'run');
  for (let first = 0; first < count; first += BATCH) {
    const length = Math.min(BATCH, count - first);
    await jobs.enqueueMany(Array.from({ length }, (_, n) => ({ task: noop, payload: { n: first + n } })));
  }
  await app.close();
}

export function connectionOf({ name, location }: StoreAddress): JobsConnection {
  return name === 'embedded' ? { embedded: { dataDir: location } } : location;
}
