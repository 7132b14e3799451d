import { Injectable, Module, type DynamicModule, type Type } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import {
  DuplicateJobsModuleError,
  DuplicateTaskError,
  InvalidJobsOptionsError,
  JobsModule,
  JobsService,
  Task,
  task,
  UnknownJobsOptionError,
  type JobsModuleOptions,
} from 'nestjs-jobs';
import { backends, uniqueNamespace, type TestBackend } from '../support/backends.js';
import { MemoryLogger } from '../support/memory-logger.js';

@Injectable()
class Reports {
  @Task({ name: 'report.make' })
  make(name: string): string {
    return `made ${name}`;
  }
}

@Injectable()
class AlsoReports {
  @Task({ name: 'report.make' })
  make(): void {}
}

type Imports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>;

async function boot(imports: Imports, providers: Type[] = [Reports]) {
  const module = await Test.createTestingModule({ imports, providers }).setLogger(new MemoryLogger()).compile();
  const app = module.createNestApplication({ logger: false });
  await app.init();
  return app;
}

/** The same options in every way that a module takes them. */
const ways: [string, (options: JobsModuleOptions) => DynamicModule][] = [
  ['forRoot', (options) => JobsModule.forRoot(options)],
  ['forRootAsync with a factory', (options) => JobsModule.forRootAsync({ useFactory: async () => options })],
  [
    'forRootAsync with a class',
    (options) => {
      class Options {
        createJobsOptions = async (): Promise<JobsModuleOptions> => options;
      }
      return JobsModule.forRootAsync({ useClass: Options });
    },
  ],
  [
    'forRootAsync with an existing provider',
    (options) => {
      class Options {
        createJobsOptions = (): JobsModuleOptions => options;
      }
      @Module({ providers: [Options], exports: [Options] })
      class OptionsModule {}
      return JobsModule.forRootAsync({ imports: [OptionsModule], useExisting: Options });
    },
  ],
];

describe.each(backends)('the boot on $name', (backend: TestBackend) => {
  const valid = (): JobsModuleOptions => ({ connection: backend.connection()!, namespace: uniqueNamespace() });

  describe.each(ways)('by %s', (_way, around) => {
    it('works', async () => {
      const app = await boot([around(valid())]);
      const job = await app.get(JobsService).enqueue(task(Reports, 'make'), 'it');
      expect(await job.result()).toBe('made it');
      await app.close();
    });

    const wrong: [string, object, string, RegExp][] = [
      ['a wrong value', { lease: 'soon' }, 'lease', /a duration above zero.*but is "soon"/],
      ['a wrong queue', { queues: { Bulk: {} } }, 'queues.Bulk', /lower-case letters/],
      [
        'a route to nowhere',
        { routes: [{ match: '*', queue: 'x' }] },
        'routes[0].queue',
        /a declared queue \(default\)/,
      ],
      ['workers of no queue', { workers: { only: ['x'] } }, 'workers.only[0]', /a declared queue \(default\)/],
      ['a forgotten connection', { connection: undefined }, 'connection', /but is undefined/],
    ];
    it.each(wrong)('refuses %s, naming its path', async (_what, options, path, message) => {
      const refused = { name: InvalidJobsOptionsError.name, path, message: expect.stringMatching(message) };
      await expect(boot([around({ ...valid(), ...options })])).rejects.toMatchObject(refused);
    });

    it('refuses an option that does not exist', async () => {
      const options = { ...valid(), conection: 'redis://x' };
      await expect(boot([around(options)])).rejects.toThrow(UnknownJobsOptionError);
    });

    it('refuses two tasks of one name', async () => {
      await expect(boot([around(valid())], [Reports, AlsoReports])).rejects.toThrow(DuplicateTaskError);
    });
  });

  it('passes on what a factory of options fails with, and refuses one that gives none', async () => {
    const failing = JobsModule.forRootAsync({ useFactory: () => Promise.reject(new Error('no configuration')) });
    await expect(boot([failing])).rejects.toThrow('no configuration');
    const empty = JobsModule.forRootAsync({ useFactory: () => undefined as never });
    await expect(boot([empty])).rejects.toMatchObject({ path: '(all)', message: expect.stringMatching('undefined') });
  });

  it('takes queues, workers, routes and defaults from the configuration', async () => {
    const load = (): object => ({
      jobs: {
        queues: { reports: { concurrency: 2, defaults: { priority: 8 } }, mails: {} },
        workers: { except: ['mails'] },
        routes: [{ match: 'report.*', queue: 'reports' }],
      },
    });
    const app = await boot([
      JobsModule.forRootAsync({
        imports: [ConfigModule.forRoot({ ignoreEnvFile: true, load: [load] })],
        inject: [ConfigService],
        useFactory: (config: ConfigService) => ({ ...valid(), ...config.getOrThrow<JobsModuleOptions>('jobs') }),
      }),
    ]);
    const jobs = app.get(JobsService);
    const job = await jobs.enqueue(task(Reports, 'make'), 'it');
    expect(job.id).toMatch(/^reports_/);
    expect((await jobs.queue('reports').getJob(job.id))!.opts.priority).toBe(2);
    expect(await job.result()).toBe('made it');
    const mail = await jobs.enqueue(task(Reports, 'make'), 'it', { queue: 'mails' });
    expect((await mail.status()).state).toBe('pending');
    await app.close();
  });

  describe('refuses two JobsModules in one app, naming who imports them', () => {
    const sync = (): DynamicModule => JobsModule.forRoot(valid());
    const async = (): DynamicModule => JobsModule.forRootAsync({ useFactory: valid });
    const local = (): DynamicModule => JobsModule.forRoot({ ...valid(), global: false });

    it.each([
      ['forRoot', sync, sync],
      ['forRoot and forRootAsync', sync, async],
      ['forRootAsync', async, async],
      ['global ones and others', sync, local],
      ['no global ones', local, local],
    ])('by %s', async (_by, one, other) => {
      @Module({ imports: [one()] })
      class Orders {}
      @Module({ imports: [other()] })
      class Billing {}
      @Module({})
      class Bystander {}
      const refused = boot([Orders, Billing, Bystander]);
      await expect(refused).rejects.toThrow(DuplicateJobsModuleError);
      await expect(refused).rejects.toThrow(
        /more than once in this app, by (Orders and by Billing|Billing and by Orders), so .*once, in the root/,
      );
    });

    it('one of them without a call', async () => {
      @Module({ imports: [JobsModule] })
      class Orders {}
      const refused = boot([sync(), Orders]);
      await expect(refused).rejects.toThrow(DuplicateJobsModuleError);
      await expect(refused).rejects.toThrow(/by (RootTestModule and by Orders|Orders and by RootTestModule), so/);
    });

    it('but not one that two modules share', async () => {
      const shared = local();
      @Module({ imports: [shared] })
      class Orders {}
      @Module({ imports: [shared] })
      class Billing {}
      await (await boot([Orders, Billing])).close();
    });
  });
});
