import { jest } from '@jest/globals';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
  type OnModuleInit,
} from '@nestjs/common';
import { Task, task } from 'nestjs-jobs';
import { JobsMetricsModule, type JobsMetricsOptions } from 'nestjs-jobs/metrics';
import { Counter, Registry } from 'prom-client';
import request from 'supertest';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { Census } from '../../libs/jobs/src/census/census.js';
import { resolveMetricsOptions } from '../../libs/jobs/src/metrics/jobs-metrics.options.js';
import { RegisterMetrics } from '../../libs/jobs/src/metrics/register-metrics.js';
import { backends, uniqueNamespace, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Scrape } from '../support/scrape.js';
import { signal } from '../support/signals.js';

@Injectable()
class Work {
  @Task({ name: 'work.well' })
  well(): void {}

  @Task({ name: 'work.fails', retry: { attempts: 1 } })
  fails(): never {
    throw new RangeError('too far');
  }
}

@Injectable()
class Password {
  readonly value = 'open sesame';
}

@Module({ providers: [Password], exports: [Password] })
class PasswordModule {}

@Injectable()
class PasswordGuard implements CanActivate {
  constructor(private readonly password: Password) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    if (headers['authorization'] !== this.password.value) throw new UnauthorizedException();
    return true;
  }
}

@Controller()
class OwnController {
  @Get()
  read(): string {
    return 'my own';
  }
}

const IDLE = { queue: 'default', waiting: 0, delayed: 0, blocked: 0, running: 0, deadLetters: 0, paused: false };
const { buckets: BUCKETS } = resolveMetricsOptions({});

const startApp = (backend: TestBackend, metrics: JobsMetricsOptions, namespace?: string): Promise<JobsApp> =>
  startJobsApp({
    backend,
    providers: [Work],
    imports: [JobsMetricsModule.forRoot(metrics)],
    options: { queues: { default: { concurrency: 4 } }, ...(namespace !== undefined && { namespace }) },
  });

const scrapeOf = async (register: Registry): Promise<Scrape> => new Scrape(await register.metrics());

describe.each(backends)('the metrics of apps on $name', (backend) => {
  it('[M2] add up in one register, and an app that closes takes along what it has, and not what it counted', async () => {
    const register = new Registry();
    const apps = [await startApp(backend, { register }), await startApp(backend, { register })];
    for (const { jobs } of apps) {
      await (await jobs.enqueue(task(Work, 'well'))).result();
      await (await jobs.enqueue(task(Work, 'fails'))).result().catch(() => {});
    }
    await eventually(async () => {
      const told = await scrapeOf(register);
      expect(told.of('jobs_finished_total', { outcome: 'succeeded', task: 'work.well' })).toMatchObject([{ value: 2 }]);
      expect(told.of('jobs_failed_total')).toMatchObject([{ value: 2 }]);
      expect(told.of('jobs_workers', { queue: 'default' })).toMatchObject([{ value: 2 }]);
      expect(told.of('jobs_worker_slots', { queue: 'default' })).toMatchObject([{ value: 8 }]);
      // Each has a store of its own.
      expect(told.of('jobs_dead_letters', { queue: 'default' })).toMatchObject([{ value: 2 }]);
    });
    for (const [n, { app }] of apps.entries()) {
      const { at, locksWaiting } = await app.get(Census).read(0);
      const queues = [{ ...IDLE, waiting: 1, oldestWaitingSince: at - (n + 1) * 1_000 }];
      jest.spyOn(app.get(Census), 'read').mockResolvedValue({ at, queues, locksWaiting });
    }
    const oldest = await scrapeOf(register);
    expect(oldest.of('jobs_queue_depth', { state: 'waiting' })).toMatchObject([{ value: 2 }]);
    // No job has waited for the sum of both.
    expect(oldest.of('jobs_oldest_waiting_seconds')).toMatchObject([{ value: 2 }]);
    jest.restoreAllMocks();
    await apps[0]!.close();
    const told = await scrapeOf(register);
    expect(told.sum('jobs_finished_total')).toBe(4);
    expect(told.of('jobs_workers', { queue: 'default' })).toMatchObject([{ value: 1 }]);
    expect(told.of('jobs_dead_letters', { queue: 'default' })).toMatchObject([{ value: 1 }]);
    await apps[1]!.close();
    const after = await scrapeOf(register);
    expect(after.sum('jobs_finished_total')).toBe(4);
    expect(after.of('jobs_workers')).toEqual([]);
    expect(after.of('jobs_dead_letters')).toEqual([]);
  });

  it('[M2] keep apart by prefix, and leave metrics of others alone', async () => {
    const register = new Registry();
    const own = new Counter({ name: 'jobs_started_total', help: 'of the app itself', registers: [register] });
    own.inc(7);
    await expect(startApp(backend, { register })).rejects.toThrow(/JobsMetricsModule\.prefix.*jobs_started_total/);
    const started = await startApp(backend, { register, prefix: 'shop_' });
    await (await started.jobs.enqueue(task(Work, 'well'))).result();
    await eventually(async () => {
      const told = await scrapeOf(register);
      expect(told.sum('shop_jobs_finished_total')).toBe(1);
      expect(told.sum('jobs_started_total')).toBe(7);
    });
    await started.close();
  });

  it('[M2] are refused twice in one app, and an app that did not boot leaves nothing behind', async () => {
    const register = new Registry();
    const twice = startJobsApp({
      backend,
      providers: [Work],
      imports: [JobsMetricsModule.forRoot({ register }), JobsMetricsModule.forRoot({ register: new Registry() })],
    });
    await expect(twice).rejects.toThrow(/"JobsMetricsModule" must be imported once in an app/);

    @Injectable()
    class Broken implements OnModuleInit {
      constructor(@Inject(QUEUE_BACKEND) private readonly store: QueueBackend) {}

      async onModuleInit(): Promise<void> {
        await this.store.close(1_000);
        throw new Error('it did not boot');
      }
    }
    const broken = startJobsApp({
      backend,
      providers: [Work, Broken],
      imports: [JobsMetricsModule.forRoot({ register })],
    });
    await expect(broken).rejects.toThrow('it did not boot');
    const told = await scrapeOf(register);
    expect(told.of('jobs_active')).toEqual([]);
    expect(told.of('jobs_started_total', { task: 'work.well' })).toMatchObject([{ value: 0 }]);
    expect(told.of('jobs_queue_depth')).toEqual([]);
    const { apps } = RegisterMetrics.in(register, '', BUCKETS) as unknown as { apps: Set<unknown> };
    expect(apps.size).toBe(0);
  });

  it('[M2] add up in a register of OpenMetrics too, that gives counters other names', async () => {
    const register = new Registry();
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    const first = await startApp(backend, { register });
    await (await first.jobs.enqueue(task(Work, 'well'))).result();
    const counted = async (): Promise<number> =>
      new Scrape((await register.metrics()).replace(/# EOF\n$/, '')).sum('jobs_finished_total');
    await eventually(async () => expect(await counted()).toBe(1));
    const second = await startApp(backend, { register });
    await (await second.jobs.enqueue(task(Work, 'well'))).result();
    await eventually(async () => expect(await counted()).toBe(2));
    await first.close();
    await second.close();
  });

  it('[M2] are there while the first count of the store takes long, and the figures of the fleet when it has ended', async () => {
    const register = new Registry();
    const started = await startJobsApp({
      backend,
      providers: [Work],
      imports: [JobsMetricsModule.forRoot({ register })],
      options: { connectTimeout: '2s' },
    });
    const { figures } = started.app.get<QueueBackend>(QUEUE_BACKEND);
    const open = signal();
    const count = figures.read.bind(figures);
    const reads = jest.spyOn(figures, 'read').mockImplementation(async (question) => {
      await open.reached;
      return count(question);
    });
    await eventually(async () => {
      const meanwhile = await scrapeOf(register);
      expect(meanwhile.of('jobs_workers', { queue: 'default' })).toMatchObject([{ value: 1 }]);
      expect(meanwhile.of('jobs_queue_depth')).toEqual([]);
      expect(reads).toHaveBeenCalled();
    });
    open.reach();
    await eventually(async () => expect((await scrapeOf(register)).of('jobs_queue_depth')).toHaveLength(4));
    expect(reads).toHaveBeenCalledTimes(1);
    await started.close();
  });

  it('[M2] begin anew in a register that was cleared, and need the same buckets in one that is shared', async () => {
    const register = new Registry();
    const first = await startApp(backend, { register, buckets: { duration: [1, 2] } });
    await (await first.jobs.enqueue(task(Work, 'well'))).result();
    await eventually(async () => expect((await scrapeOf(register)).sum('jobs_duration_seconds_count')).toBe(1));
    const bounds = (await scrapeOf(register)).of('jobs_duration_seconds_bucket').map(({ labels }) => labels['le']);
    expect(bounds).toEqual(['1', '2', '+Inf']);
    await expect(startApp(backend, { register })).rejects.toThrow(/JobsMetricsModule\.buckets/);
    await first.close();
    register.clear();
    const second = await startApp(backend, { register });
    expect((await scrapeOf(register)).sum('jobs_started_total')).toBe(0);
    await second.close();
  });

  it('[M2] are served where the app says, and to whom', async () => {
    const register = new Registry();
    const started = await startApp(backend, {
      register,
      path: '/internal/metrics',
      guards: [PasswordGuard],
      imports: [PasswordModule],
    });
    const server: unknown = started.app.getHttpServer();
    const get = (path: string) => request(server as never).get(path);
    await get('/internal/metrics').expect(401);
    await get('/metrics').expect(404);
    const { text, headers } = await get('/internal/metrics').set('authorization', 'open sesame').expect(200);
    expect(headers['content-type']).toBe(register.contentType);
    expect(new Scrape(text).of('jobs_workers')).toHaveLength(1);
    await started.close();
  });

  it('[M2] are served by a controller of the app, or not at all', async () => {
    const register = new Registry();
    const own = await startApp(backend, { register, controller: OwnController, path: '/own' });
    await request(own.app.getHttpServer() as never)
      .get('/own')
      .expect(200, 'my own');
    expect(Reflect.getMetadata('path', OwnController)).toBe('/');
    await own.close();
    const none = await startApp(backend, { register, path: false });
    await request(none.app.getHttpServer() as never)
      .get('/metrics')
      .expect(404);
    expect((await scrapeOf(register)).of('jobs_workers')).toHaveLength(1);
    await none.close();
  });

  it('[M2] have those of prom-client beside them when they are asked for, once in a register', async () => {
    const register = new Registry();
    const options = { register, defaultMetrics: true };
    const apps = [await startApp(backend, options), await startApp(backend, options)];
    expect((await scrapeOf(register)).of('process_cpu_user_seconds_total')).toHaveLength(1);
    for (const { close } of apps) await close();
    const without = await startApp(backend, { register: new Registry() });
    await without.close();
  });

  it('[M2] without the figures of the fleet, where the app says so', async () => {
    const register = new Registry();
    const started = await startApp(backend, { register, fleetGauges: false });
    const census = jest.spyOn(started.app.get(Census), 'read');
    expect((await scrapeOf(register)).of('jobs_queue_depth')).toEqual([]);
    expect(census).not.toHaveBeenCalled();
    await started.close();
  });
});

const shared = backends.filter(({ name }) => name !== 'embedded');
if (shared.length > 0) {
  describe.each(shared)('the metrics of a fleet on $name', (backend) => {
    it('[M2] have the figures of the store once, and at once when the app that told them closes', async () => {
      const namespace = uniqueNamespace();
      const register = new Registry();
      const others = new Registry();
      const first = await startApp(backend, { register }, namespace);
      await (await first.jobs.enqueue(task(Work, 'fails'))).result().catch(() => {});
      await eventually(async () => expect((await scrapeOf(register)).sum('jobs_dead_letters')).toBe(1));
      const second = await startApp(backend, { register }, namespace);
      const third = await startApp(backend, { register: others }, namespace);
      for (let scrapes = 0; scrapes < 3; scrapes++) {
        expect((await scrapeOf(register)).sum('jobs_dead_letters')).toBe(1);
        expect((await scrapeOf(others)).of('jobs_dead_letters')).toEqual([]);
      }
      await first.close();
      await second.close();
      await eventually(async () => expect((await scrapeOf(others)).sum('jobs_dead_letters')).toBe(1));
      await third.close();
    });
  });
}
