import {
  Controller,
  createParamDecorator,
  Global,
  Headers,
  Inject,
  Injectable,
  Module,
  type OnModuleDestroy,
  type Provider,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  DuplicateTaskError,
  InvalidJobsOptionsError,
  InvalidTaskError,
  JobContext,
  JobsModule,
  JobsRunner,
  JobsClosedError,
  JobsService,
  NotATaskError,
  Payload,
  Task,
  task,
  UnknownTaskError,
  type JobsModuleOptions,
} from 'nestjs-jobs';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal } from '../support/signals.js';

@Injectable()
class Hello {
  @Task({ name: 'hello' })
  hello(name: string): string {
    return `Hello ${name}`;
  }

  notATask(): void {}
}

@Injectable()
class AlsoHello {
  @Task({ name: 'hello' })
  hi(): void {}
}

@Injectable()
class Elsewhere {
  @Task({ name: 'elsewhere', queue: 'undeclared' })
  run(): void {}
}

@Controller()
class TaskController {
  @Task()
  run(): void {}
}

@Injectable()
class HttpParameter {
  @Task()
  run(@Headers('x') _header: string): void {}
}

@Injectable()
class SecondPayload {
  @Task()
  run(_payload: string, @Payload() _second: string): void {}
}

const Anything = createParamDecorator(() => 'anything');

@Injectable()
class DecoratedContext {
  @Task()
  run(_payload: string, @Anything() _job: string): void {}
}

@Injectable()
class ThirdParameter {
  @Task()
  run(_payload: string, _job: JobContext, _third: string): void {}
}

describe.each(backends)('the module on $name', (backend) => {
  const apps: JobsApp[] = [];

  async function start(settings: Omit<Parameters<typeof startJobsApp>[0], 'backend'>): Promise<JobsApp> {
    const app = await startJobsApp({ backend, ...settings });
    apps.push(app);
    return app;
  }

  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
  });

  it('[C6] forgets a result when results.keepFor is over, and the row with the next job that ends', async () => {
    const { jobs } = await start({ providers: [Hello], options: { results: { keepFor: '1s' } } });
    const first = await jobs.enqueue(task(Hello, 'hello'), 'first');
    expect(await first.result()).toBe('Hello first');
    await eventually(async () => expect(await jobs.statuses([first.id])).toEqual({ [first.id]: null }));
    await expect(first.result()).rejects.toThrow('not kept any more');
    await eventually(async () => {
      await (await jobs.enqueue(task(Hello, 'hello'), 'next')).result();
      expect(await jobs.queue('default').getJob(first.id)).toBeUndefined();
    });
  });

  it('takes its options from a factory, and works in modules that do not import it', async () => {
    @Module({ providers: [Hello] })
    class Feature {}
    @Global()
    @Module({ providers: [{ provide: 'namespace', useFactory: uniqueNamespace }], exports: ['namespace'] })
    class Configuration {}
    @Injectable()
    class Greeter {
      constructor(@Inject(JobsService) readonly jobs: JobsService) {}
    }
    @Module({ providers: [Greeter] })
    class Consumer {}
    const module = await Test.createTestingModule({
      imports: [
        Configuration,
        Feature,
        Consumer,
        JobsModule.forRootAsync({
          inject: ['namespace'],
          useFactory: async (namespace: string): Promise<JobsModuleOptions> => ({
            connection: backend.connection()!,
            namespace,
          }),
        }),
      ],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    await app.init();
    const job = await app.get(Greeter, { strict: false }).jobs.enqueue(task(Hello, 'hello'), 'async');
    expect(await job.result()).toBe('Hello async');
    await app.close();
  });

  describe('refuses to boot', () => {
    // Nest's abortOnError would end the process; the testing module rejects.
    const refused = (settings: Parameters<typeof start>[0]): Promise<JobsApp> => startJobsApp({ backend, ...settings });

    it('two tasks of one name, naming both', async () => {
      const boot = refused({ providers: [Hello, AlsoHello] });
      await expect(boot).rejects.toThrow(DuplicateTaskError);
      await expect(boot).rejects.toThrow(/"hello".*Hello\.hello.*AlsoHello\.hi/);
    });

    it('a class that is provided in two modules, with the fix', async () => {
      @Module({ providers: [Hello] })
      class One {}
      @Module({ providers: [Hello] })
      class Two {}
      await expect(refused({ imports: [One, Two] })).rejects.toThrow(
        /Hello\.hello in One and by Hello\.hello in Two\. The class is provided twice: provide it in one module/,
      );
    });

    it('a task on a controller', async () => {
      await expect(refused({ controllers: [TaskController] })).rejects.toThrow(InvalidTaskError);
    });

    it.each([
      [HttpParameter, /like @Body\(\) or @Headers\(\), on parameter 1/],
      [SecondPayload, /has @Payload\(\) on parameter 2/],
      [DecoratedContext, /has a decorator on parameter 2, which is always the JobContext/],
      [ThirdParameter, /takes parameter 3 that nothing fills/],
    ])('a task with parameters that a job cannot fill', async (host, message) => {
      const boot = refused({ providers: [host] });
      await expect(boot).rejects.toThrow(InvalidTaskError);
      await expect(boot).rejects.toThrow(message);
    });

    it('a task of a queue that is not declared', async () => {
      const boot = refused({ providers: [Elsewhere] });
      await expect(boot).rejects.toThrow(InvalidJobsOptionsError);
      await expect(boot).rejects.toThrow(/Elsewhere\.run.*queue.*a declared queue \(default\).*"undeclared"/);
    });
  });

  it('[C4] works only the queues it is told to, says so at boot, and warns of a queue that nobody works', async () => {
    const logger = new MemoryLogger();
    const options = { queues: { reports: {}, mails: {} }, workers: { only: ['reports'] } };
    @Injectable()
    class Both {
      @Task({ name: 'both.report', queue: 'reports' })
      report(): string {
        return 'reported';
      }
      @Task({ name: 'both.mail', queue: 'mails' })
      mail(): string {
        return 'mailed';
      }
    }
    const first = await start({ providers: [Both], options, logger });
    expect(logger.text()).toMatch(/both\.report\s+-> reports\s+worked here/);
    expect(logger.text()).toMatch(/both\.mail\s+-> mails\s+not worked here/);
    expect(await (await first.jobs.enqueue(task(Both, 'report'))).result()).toBe('reported');
    const mail = await first.jobs.enqueue(task(Both, 'mail'));
    const consumption = await first.app.get(JobsRunner).consumption();
    expect(consumption).toEqual([
      { queue: 'reports', consuming: true },
      { queue: 'jobs-internal', consuming: true },
    ]);
    expect(await mail.status()).toMatchObject({ state: 'pending' });
    // The next heartbeat finds it.
    await eventually(() => expect(logger.text()).toMatch(/Queue "mails": 1 jobs wait, and no process works it/), {
      timeout: 30_000,
    });
    expect(logger.text()).not.toMatch(/Queue "reports"/);
  });

  it('gives a job of an unknown task time for a deploy, then fails it', async () => {
    const { jobs } = await start({ options: { unknownTaskGrace: 300 } });
    const job = await jobs.enqueue(task(Hello, 'hello'), 'nobody');
    await expect(job.result()).rejects.toMatchObject({ error: { name: UnknownTaskError.name } });
    expect((await job.status()).state).toBe('failed');
  });

  it('[C8] finishes running jobs at shutdown while the modules that they use are still there', async () => {
    const gate = { entered: signal(), open: signal() };
    const log: string[] = [];
    @Injectable()
    class Database implements OnModuleDestroy {
      onModuleDestroy(): void {
        log.push('database closed');
      }
    }
    @Module({ providers: [Database], exports: [Database] })
    class DatabaseModule {}
    @Injectable()
    class Importer {
      constructor(private readonly jobs: JobsService) {}

      @Task({ name: 'import' })
      async import(): Promise<string> {
        gate.entered.reach();
        await gate.open.reached;
        log.push('imported');
        return (await this.jobs.enqueue(task(Hello, 'hello'), 'enqueued in the drain')).id;
      }
    }
    const { app, jobs } = await startJobsApp({ backend, imports: [DatabaseModule], providers: [Importer, Hello] });
    await jobs.enqueue(task(Importer, 'import'));
    await gate.entered.reached;
    const closed = app.close();
    gate.open.reach();
    await closed;
    expect(log).toEqual(['imported', 'database closed']);
  });

  it('says that it has closed to who comes later, and to who still waits', async () => {
    @Injectable()
    class Elsewhere {
      @Task({ queue: 'elsewhere' })
      run(): void {}
    }
    const options = { queues: { elsewhere: {} }, workers: { except: ['elsewhere'] } };
    const { app, jobs } = await startJobsApp({ backend, providers: [Elsewhere], options });
    const job = await jobs.enqueue(task(Elsewhere, 'run'));
    const waiting = Promise.allSettled([job.result()]);
    await app.close();
    const late = await Promise.allSettled([
      jobs.enqueue(task(Elsewhere, 'run')),
      jobs.enqueueMany([{ task: task(Elsewhere, 'run') }]),
      job.status(),
      job.cancel(),
    ]);
    const refused = { status: 'rejected', reason: expect.any(JobsClosedError) as unknown };
    expect([...(await waiting), ...late]).toEqual(Array(5).fill(refused));
  });

  it('names a method that is no task', () => {
    expect(() => task(Hello, 'notATask')).toThrow(NotATaskError);
    expect(() => task(Hello, 'notATask')).toThrow('Hello.notATask is no task. Put @Task() on the method.');
  });

  it('lets two apps live in one process without meeting', async () => {
    const providers: Provider[] = [Hello];
    const [one, two] = [await start({ providers }), await start({ providers })];
    const job = await one.jobs.enqueue(task(Hello, 'hello'), 'one');
    expect(await job.result()).toBe('Hello one');
    expect(await two.jobs.statuses([job.id])).toEqual({ [job.id]: null });
  });
});
