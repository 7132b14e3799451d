import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Injectable, Scope, type CanActivate } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { Task, type JobContext } from 'nestjs-jobs';
import { PerProcess } from 'nestjs-jobs/nest-schedule';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp, type JobsAppSettings } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';

/** What ran, in which app, by the name of the method. */
const calls: { method: string; host: object; args: unknown[] }[] = [];
const callsOf = (method: string) => calls.filter((call) => call.method === method);
const called = (host: object, method: string, args: unknown[] = []): void => void calls.push({ method, host, args });

@Injectable()
class Existing {
  @Cron('* * * * * *', { name: 'each second' })
  cron(...args: unknown[]): Map<string, string> {
    called(this, 'cron', args);
    return new Map([['no', 'JSON']]);
  }

  @Interval('tidy', 1_000)
  async interval(): Promise<void> {
    called(this, 'interval');
  }

  @Timeout(500)
  timeout(): void {
    called(this, 'timeout');
  }

  @Interval(100)
  often(): void {
    called(this, 'often');
  }

  @PerProcess()
  @Interval('own', 1_000)
  perProcess(): void {
    called(this, 'perProcess');
  }

  @Cron('0 0 1 1 0-6', { initialDelay: 1 })
  yearly(): void {}

  @Cron('0 6 * * *', { name: 'zoned', timeZone: 'Asia/Tokyo', waitForCompletion: true })
  zoned(): void {}

  @Cron('0 6 * * *', { name: 'offset', timeZone: 'UTC-3:30' })
  offset(): void {}

  @Cron('* * * * * *', { name: 'disabled', disabled: true })
  disabled(): void {
    called(this, 'disabled');
  }
}

@Injectable()
class Refusing implements CanActivate {
  canActivate(): boolean {
    throw new Error('A guard that expects a request.');
  }
}

@Controller('clock')
class ClockController {
  @Get()
  @Cron('* * * * * *')
  onController(): void {
    called(this, 'onController');
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  @Interval(1_000)
  perRequest(): void {
    called(this, 'perRequest');
  }
}

@Injectable()
class Failing {
  @Cron('* * * * * *')
  async fails(): Promise<void> {
    called(this, 'fails');
    throw new Error('it always does');
  }
}

/** As if each were made at the very moment of one of its times: `cron` calls it while it is made. */
const AT_ONCE = { runOnInit: true } as object;

@Injectable()
class Hasty {
  @Cron('0 6 1 1 *', { ...AT_ONCE, name: 'adopted' })
  adopted(): void {
    called(this, 'adopted');
  }

  @PerProcess()
  @Cron('0 6 1 1 *', { ...AT_ONCE, name: 'of each' })
  ofEach(): void {
    called(this, 'ofEach');
  }
}

@Injectable()
class Both {
  @Task({ name: 'both.run', retry: { attempts: 2 } })
  @Cron('* * * * * *', { name: 'both' })
  async both(payload: undefined, job: JobContext): Promise<void> {
    called(this, 'both', [payload, job.task, job.maxAttempts]);
  }
}

describe.each(backends)('methods of @nestjs/schedule on $name', (backend) => {
  const apps: JobsApp[] = [];
  let directory: string;
  beforeEach(async () => {
    calls.length = 0;
    directory = await mkdtemp(join(tmpdir(), 'jobs-nest-schedule-'));
  });
  afterEach(async () => {
    for (const app of apps.splice(0).toReversed()) await app.close();
    await rm(directory, { recursive: true, force: true });
  });
  const start = async (settings: Omit<JobsAppSettings, 'backend'>): Promise<JobsApp> => {
    const app = await startJobsApp({
      backend,
      imports: [ScheduleModule.forRoot()],
      ...settings,
      options: { adoptNestSchedule: true, ...settings.options },
    });
    apps.push(app);
    return app;
  };

  it('[S1] [S2] [S5] run once in the fleet for each of their times', async () => {
    const namespace = uniqueNamespace();
    const settings = { providers: [Existing], options: { namespace } };
    // An embedded database has one process.
    await Promise.all(Array.from({ length: backend.name === 'embedded' ? 1 : 2 }, () => start(settings)));
    const [first] = apps as [JobsApp];
    const fleet = apps.map(({ app }) => app.get(Existing));
    await eventually(
      () => callsOf('cron').length > 3 && callsOf('interval').length > 3 && callsOf('timeout').length > 0,
      {
        timeout: 30_000,
      },
    );
    // One that comes to others starts no @Timeout again.
    if (backend.name !== 'embedded') fleet.push((await start(settings)).app.get(Existing));
    // What cannot or must not be of the fleet is of each process.
    for (const method of ['often', 'perProcess']) {
      await eventually(() => expect(new Set(callsOf(method).map(({ host }) => host))).toEqual(new Set(fleet)));
    }
    for (const app of apps.splice(1)) await app.close();
    await first.jobs.schedules.pause('nest-schedule.Existing.cron');
    await first.jobs.schedules.pause('tidy');
    for (const [method, name] of [
      ['cron', 'nest-schedule.Existing.cron'],
      ['interval', 'tidy'],
      ['timeout', 'nest-schedule.Existing.timeout'],
    ] as const) {
      const { sent, runs } = (await first.jobs.schedules.get(name))!;
      expect(new Set(runs.map(({ scheduledFor }) => scheduledFor)).size).toBe(runs.length);
      await eventually(() => expect(callsOf(method)).toHaveLength(sent));
    }
    expect(callsOf('timeout')).toHaveLength(1);
    expect(callsOf('cron').every(({ args }) => args.length === 0)).toBe(true);
    expect(callsOf('disabled')).toEqual([]);
  });

  it('[S1] [S2] keep their zones and their names, and the registry has them, and what the app adds', async () => {
    const logger = new MemoryLogger();
    const { app, jobs } = await start({ providers: [Existing], logger });
    const registry = app.get(SchedulerRegistry);
    expect([...registry.getCronJobs().keys()]).toEqual(
      expect.arrayContaining(['each second', 'zoned', 'offset', 'disabled']),
    );
    expect(registry.getCronJobs().size).toBe(5);
    expect([...registry.getCronJobs().values()].map(({ isActive }) => isActive)).toEqual(Array(5).fill(false));
    expect(registry.getIntervals()).toEqual(expect.arrayContaining(['tidy', 'own']));
    expect(registry.getIntervals()).toHaveLength(3);
    expect(registry.getTimeouts()).toHaveLength(1);
    const { schedules } = await jobs.schedules.list();
    const local = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    expect(schedules).toMatchObject([
      { name: 'nest-schedule.Existing.cron', cron: '* * * * * *', timeZone: local, overlap: 'allow', missed: 'skip' },
      { name: 'nest-schedule.Existing.timeout', missed: 'run-once' },
      { name: 'nest-schedule.Existing.yearly', cron: '0 0 1 1 *', timeZone: local },
      { name: 'offset', utcOffset: -210 },
      { name: 'tidy', task: 'nest-schedule.Existing.interval', every: 1_000 },
      { name: 'zoned', timeZone: 'Asia/Tokyo', overlap: 'skip', inCode: true },
    ]);
    const [, timeout] = schedules;
    expect(timeout!.every).toBeUndefined();
    expect(timeout!.startAt).toBe(timeout!.endAt);
    expect(logger.text()).toContain('@Interval of Existing.often in RootTestModule goes on running in every process');

    // What the app adds to it itself stays in its process.
    const job = new CronJob('* * * * * *', () => called(app, 'dynamic'));
    registry.addCronJob('dynamic', job);
    job.start();
    registry.addInterval(
      'dynamic',
      setInterval(() => called(app, 'dynamic interval'), 100),
    );
    await eventually(() => callsOf('dynamic').length > 0 && callsOf('dynamic interval').length > 0);
    expect(await jobs.schedules.get('dynamic')).toBeUndefined();
    expect(registry.doesExist('cron', 'dynamic')).toBe(true);
  });

  it('[S1] [S2] are called as they were: on controllers, for each request scope, and past global guards', async () => {
    const { jobs } = await start({
      providers: [PerRequest, { provide: APP_GUARD, useClass: Refusing }],
      controllers: [ClockController],
    });
    await eventually(() => callsOf('onController').length > 1 && callsOf('perRequest').length > 1, { timeout: 30_000 });
    expect(new Set(callsOf('perRequest').map(({ host }) => host)).size).toBe(callsOf('perRequest').length);
    const { runs } = (await jobs.schedules.get('nest-schedule.PerRequest.perRequest'))!;
    await eventually(async () =>
      expect(await jobs.job(runs.at(-1)!.id).status()).toMatchObject({ state: 'succeeded' }),
    );
  });

  it('[S1] one that throws says so where it did, and is not tried again', async () => {
    const logger = new MemoryLogger();
    // @nestjs/schedule sets a timer for an alias too.
    const alias = { provide: 'alias', useExisting: Failing };
    const { app, jobs } = await start({ providers: [Failing, alias], logger });
    const timers = [...app.get(SchedulerRegistry).getCronJobs().values()];
    expect(timers.map(({ isActive }) => isActive)).toEqual([false, false]);
    await eventually(() => callsOf('fails').length > 1, { timeout: 30_000 });
    const { runs } = (await jobs.schedules.get('nest-schedule.Failing.fails'))!;
    await eventually(async () => {
      const status = await jobs.job(runs.at(-1)!.id).status();
      expect(status).toMatchObject({ state: 'failed', attempt: 1, error: { message: 'it always does' } });
    });
    expect(logger.text()).toContain('it always does');
  });

  it('[S1] one whose time comes as it is set runs in no process but by its schedule', async () => {
    await start({ providers: [Hasty] });
    expect(calls.map(({ method }) => method)).toEqual(['ofEach']);
  });

  it('[S1] [S5] a task has jobs with all that a task has, and a Date is one time', async () => {
    const date = new Date(Date.now() + 3_600_000);
    @Injectable()
    class OnDate {
      @Cron(date, { name: 'on-date' })
      once(): void {}
    }
    const { app, jobs } = await start({ providers: [Both, OnDate] });
    expect(await jobs.schedules.next('on-date', 5)).toEqual([date]);
    expect(app.get(SchedulerRegistry).getCronJob('on-date').isActive).toBe(false);
    await eventually(() => callsOf('both').length > 1, { timeout: 30_000 });
    expect(callsOf('both')[0]!.args).toEqual([undefined, 'both.run', 2]);
  });

  it('[S1] their jobs keep the limit of their queue', async () => {
    const queues = { slow: { rateLimit: '1/h' } };
    const routes = [{ match: 'nest-schedule.*', queue: 'slow' }];
    const { jobs } = await start({ providers: [Failing], options: { queues, routes } });
    const waiting = await eventually(async () => {
      const { runs } = (await jobs.schedules.get('nest-schedule.Failing.fails'))!;
      const statuses = await Promise.all(runs.map(({ id }) => jobs.job(id).status()));
      return statuses.find(({ waitingFor }) => waitingFor?.kind === 'limit') ?? null;
    });
    expect(waiting).toMatchObject({ queue: 'slow', state: 'pending' });
    expect(callsOf('fails')).toHaveLength(1);
  });

  it('[S5] a @Timeout runs again when the fleet has stopped and starts', async () => {
    const connection = backend.name === 'embedded' ? embeddedIn(join(directory, 'data')) : backend.connection()!;
    const options = { connection, namespace: uniqueNamespace() };
    for (const times of [1, 2]) {
      await start({ providers: [Existing], options });
      await eventually(() => callsOf('timeout').length > 0);
      expect(callsOf('timeout')).toHaveLength(1);
      expect(await apps[0]!.jobs.schedules.get('nest-schedule.Existing.timeout')).toMatchObject({ sent: times });
      calls.length = 0;
      await apps.pop()!.close();
    }
  });

  it('[S1] only what the options of ScheduleModule leave on is adopted', async () => {
    const { app, jobs } = await start({
      providers: [Existing],
      imports: [ScheduleModule.forRoot({ cronJobs: false, timeouts: false })],
    });
    const { schedules } = await jobs.schedules.list();
    expect(schedules.map(({ name }) => name)).toEqual(['tidy']);
    expect(app.get(SchedulerRegistry).getCronJobs().size).toBe(0);
  });

  it('[S1] run in their process without the option', async () => {
    const { app, jobs } = await start({ providers: [Existing], options: { adoptNestSchedule: false } });
    await eventually(() => callsOf('cron').length > 0 && callsOf('interval').length > 0);
    expect(app.get(SchedulerRegistry).getCronJob('each second').isActive).toBe(true);
    expect((await jobs.schedules.list()).schedules).toEqual([]);
  });
});
