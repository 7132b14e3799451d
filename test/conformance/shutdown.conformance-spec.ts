import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  JobsClosedError,
  JobsModule,
  JobsRunner,
  JobsService,
  JobsShutdownError,
  NonRetryableError,
  Task,
  task,
  type JobContext,
  type JobsModuleOptions,
} from 'nestjs-jobs';
import { JobsHealthIndicator, JobsHealthModule } from 'nestjs-jobs/health';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { Database, DatabaseModule } from '../support/closing-database.js';
import { startJobsApp, type JobsApp, type JobsAppSettings } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal, type Signal } from '../support/signals.js';

type Behaviour = 'obeys' | 'ignores' | 'hurries' | 'waits';

/** One run of the task `long.work`, as the test steers it. */
interface Run {
  readonly attempt: number;
  readonly reason: Signal<Error>;
  readonly open: Signal;
}

@Injectable()
class Long {
  static runs: Run[] = [];
  static order: string[] = [];
  static begun = signal<Run>();
  static ended = signal();
  static refused = signal<string>();

  @Task({ name: 'long.work', queue: 'single', retry: { attempts: 2 } })
  async work(payload: { name: string; behaviour?: Behaviour }, job: JobContext): Promise<string> {
    const run: Run = { attempt: job.attempt, reason: signal<Error>(), open: signal() };
    Long.runs.push(run);
    Long.order.push(payload.name);
    if (payload.behaviour === undefined || Long.runs.length > 1) return `run ${Long.runs.length}`;
    job.signal.addEventListener('abort', () => run.reason.reach(job.signal.reason as Error));
    Long.begun.reach(run);
    await this.behave(payload.behaviour, run, job).finally(() => Long.ended.reach());
    return 'first run';
  }

  private async behave(behaviour: Behaviour, run: Run, job: JobContext): Promise<void> {
    await (behaviour === 'ignores' || behaviour === 'waits' ? run.open : run.reason).reached;
    if (behaviour === 'obeys') job.signal.throwIfAborted();
    if (behaviour !== 'ignores') return;
    await job.progress(99).catch((error: Error) => Long.refused.reach(error.name));
    throw new NonRetryableError('too late');
  }
}

const long = task(Long, 'work');

@Injectable()
class Chained {
  static gate = { entered: signal(), open: signal() };
  static next = signal<string>();

  constructor(
    private readonly jobs: JobsService,
    private readonly database: Database,
  ) {}

  @Task({ name: 'chained.first' })
  async first(): Promise<void> {
    Chained.gate.entered.reach();
    await Chained.gate.open.reached;
    const { id } = await this.jobs.enqueue(task(Long, 'work'), { name: 'enqueued in the drain' });
    Chained.next.reach(id);
    if (this.database) Database.log.push('task done');
  }
}

describe.each(backends)('the shutdown on $name', (backend) => {
  let directory: string;
  let store: JobsModuleOptions;
  const apps: JobsApp[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jobs-shutdown-'));
    // Two apps, one after the other, need a store that outlives the first.
    const connection = backend.name === 'embedded' ? embeddedIn(directory) : backend.connection()!;
    store = { connection, namespace: uniqueNamespace(), queues: { single: { concurrency: 1 } } };
    [Long.runs, Long.order, Database.log] = [[], [], []];
    [Long.begun, Long.ended, Long.refused] = [signal<Run>(), signal(), signal<string>()];
    Chained.next = signal<string>();
    Chained.gate = { entered: signal(), open: signal() };
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map(({ close }) => close()));
    await rm(directory, { recursive: true, force: true });
  });

  async function start(
    options: JobsModuleOptions = {},
    settings: Partial<Omit<JobsAppSettings, 'backend' | 'options'>> = {},
  ): Promise<JobsApp> {
    const app = await startJobsApp({ backend, providers: [Long], options: { ...store, ...options }, ...settings });
    apps.push(app);
    return app;
  }

  const shortGrace: JobsModuleOptions = { shutdown: { grace: 50 } };

  it.each(['obeys', 'ignores'] as const)(
    '[C2] gives back a task that outlasts the grace and %s its signal: it runs before all others, as the same attempt',
    async (behaviour) => {
      const logger = new MemoryLogger();
      const first = await start(shortGrace, { logger });
      const job = await first.jobs.enqueue(long, { name: 'interrupted', behaviour }, { priority: 0 });
      const run = await Long.begun.reached;
      for (const priority of [5, 9] as const) {
        await first.jobs.enqueue(long, { name: `priority ${priority}` }, { priority });
      }
      await first.close();
      expect(await run.reason.reached).toBeInstanceOf(JobsShutdownError);
      expect(logger.text()).toContain(`given back to run elsewhere: ${job.id}`);

      const idle = await start({ workers: false });
      expect(await idle.jobs.job(job.id).status()).toMatchObject({ state: 'pending', attempt: 0, attempts: [] });
      await idle.close();

      const second = await start({}, { logger });
      expect(await second.jobs.job(job.id).result()).toBe('run 2');
      const status = await second.jobs.job(job.id).status();
      expect(status).toMatchObject({ state: 'succeeded', attempt: 1, attempts: [{ attempt: 1 }] });
      expect(Long.runs.map(({ attempt }) => attempt).slice(0, 2)).toEqual([1, 1]);
      expect(Long.order.slice(0, 2)).toEqual(['interrupted', 'interrupted']);

      // What the first run still says, it says to nobody.
      run.open.reach();
      await Long.ended.reached;
      if (behaviour === 'ignores') expect(await Long.refused.reached).toBe('AttemptEndedError');
      expect(await second.jobs.job(job.id).status()).toEqual(status);
      expect(logger.text()).not.toMatch(/Worker of queue|failed|lock/i);
    },
  );

  it('[C2] keeps the result of a task that comes to its end when it is told to stop', async () => {
    const first = await start(shortGrace);
    const job = await first.jobs.enqueue(long, { name: 'hurries', behaviour: 'hurries' });
    await Long.begun.reached;
    await first.close();
    const second = await start({ workers: false });
    expect(await second.jobs.job(job.id).result()).toBe('first run');
    expect(Long.runs).toHaveLength(1);
  });

  it('[C8] waits for a running task, and tells it nothing, while the grace lasts', async () => {
    const { app, jobs, close } = await start();
    const job = await jobs.enqueue(long, { name: 'waits', behaviour: 'waits' });
    const run = await Long.begun.reached;
    const waiting = await jobs.enqueue(long, { name: 'not fetched any more' });
    const drained = app.get(JobsRunner).drain();
    run.open.reach();
    await drained;
    expect(await job.result()).toBe('first run');
    expect(await waiting.status()).toMatchObject({ state: 'pending' });
    expect(await Promise.race([run.reason.reached, Promise.resolve('not aborted')])).toBe('not aborted');
    await close();
  });

  it('[C8] a task may enqueue and use its database to the end of the drain', async () => {
    const { app, jobs, close } = await start({}, { imports: [DatabaseModule], providers: [Long, Chained] });
    await jobs.enqueue(task(Chained, 'first'));
    await Chained.gate.entered.reached;
    const closed = close();
    await eventually(() => app.get(JobsRunner).isDraining);
    Chained.gate.open.reach();
    await closed;
    expect(Database.log).toEqual(['task done', 'database closed']);
    const second = await start();
    expect(await second.jobs.job(await Chained.next.reached).result()).toBe('run 1');
  });

  it('[C8] drain() before close() serves an app whose root module has the database; twice is once', async () => {
    const { app, jobs, close } = await start({}, { providers: [Long, Chained, Database] });
    const runner = app.get(JobsRunner);
    await jobs.enqueue(task(Chained, 'first'));
    await Chained.gate.entered.reached;
    const drained = runner.drain();
    expect(runner.drain()).toBe(drained);
    Chained.gate.open.reach();
    await drained;
    expect(Database.log).toEqual(['task done']);
    // Only the workers are stopped.
    expect(await (await jobs.enqueue(long, { name: 'after the drain' })).status()).toMatchObject({ state: 'pending' });
    await Promise.all([close(), close()]);
    expect(Database.log).toEqual(['task done', 'database closed']);
  });

  it.each([{ workers: true }, { workers: false }])(
    '[C8] health is down from its first moment, with %j',
    async (options) => {
      const { app } = await start(options, { imports: [JobsHealthModule] });
      const health = app.get(JobsHealthIndicator, { strict: false });
      expect((await health.isHealthy('jobs'))['jobs']?.status).toBe('up');
      const drained = app.get(JobsRunner).drain();
      const expected = { status: 'down', reasons: ['this process is shutting down'] };
      expect((await health.isHealthy('jobs'))['jobs']).toMatchObject(expected);
      await drained;
      expect((await health.isHealthy('jobs'))['jobs']).toMatchObject(expected);
    },
  );

  it('[C8] close() lets go of everything also when the boot failed in another module', async () => {
    @Injectable()
    class Broken implements OnModuleInit {
      onModuleInit(): void {
        throw new Error('no boot today');
      }
    }
    const module = await Test.createTestingModule({
      imports: [JobsModule.forRoot(store)],
      providers: [Long, Broken],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    await expect(app.init()).rejects.toThrow('no boot today');
    await app.close();
    await expect(app.get(JobsService).enqueue(long, { name: 'refused' })).rejects.toThrow(JobsClosedError);
    // Of the embedded store, the next process gets the directory.
    const next = await start();
    expect(await (await next.jobs.enqueue(long, { name: 'next' })).result()).toBe('run 1');
  });
});
