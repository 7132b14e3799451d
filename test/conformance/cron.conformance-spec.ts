import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import {
  Cron,
  Every,
  InvalidScheduleError,
  OnFailure,
  Task,
  task,
  type JobContext,
  type JobSchedule,
} from 'nestjs-jobs';
import { z } from 'zod';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';

interface Ran {
  readonly id: string;
  readonly payload: unknown;
  readonly schedule: JobSchedule | undefined;
  readonly scheduledFor: Date | undefined;
}

@Injectable()
class Clocks {
  readonly ran: Ran[] = [];

  @Cron('* * * * * *', { name: 'each-second', payload: { at: 'cron' }, tags: ['clock'] })
  async tick(payload: { at: string }, job: JobContext): Promise<void> {
    this.tell(payload, job);
  }

  @Every('1s', { name: 'every-second' })
  @Task({ name: 'clocks.every', retry: { attempts: 1 } })
  async every(payload: undefined, job: JobContext): Promise<void> {
    this.tell(payload, job);
  }

  @Cron('0 0 1 1 *', { timeZone: 'Europe/Berlin' })
  async yearly(): Promise<string> {
    return 'a new year';
  }

  @Cron('* * * * * *', { name: 'never', disabled: true })
  async never(payload: undefined, job: JobContext): Promise<void> {
    this.tell(payload, job);
  }

  ranFor(name: string): Ran[] {
    return this.ran.filter(({ schedule }) => schedule?.name === name);
  }

  private tell(payload: unknown, { id, schedule, scheduledFor }: JobContext): void {
    this.ran.push({ id, payload, schedule, scheduledFor });
  }
}

describe.each(backends)('@Cron and @Every on $name', (backend) => {
  const apps: JobsApp[] = [];
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jobs-schedules-'));
  });
  afterEach(async () => {
    for (const app of apps.splice(0).toReversed()) await app.close();
    await rm(directory, { recursive: true, force: true });
  });
  const start = async (settings: Omit<Parameters<typeof startJobsApp>[0], 'backend'>): Promise<JobsApp> => {
    const app = await startJobsApp({ backend, ...settings });
    apps.push(app);
    return app;
  };

  it('[S1] [S2] [S5] fire once for each nominal time, which the job knows', async () => {
    const { app, jobs } = await start({ providers: [Clocks] });
    const clocks = app.get(Clocks);
    await eventually(() => ['each-second', 'every-second'].every((name) => clocks.ranFor(name).length > 2), {
      timeout: 30_000,
    });
    for (const name of ['each-second', 'every-second']) {
      const ran = clocks.ranFor(name);
      const times = ran.map(({ schedule }) => schedule!.scheduledFor.getTime());
      expect(new Set(times).size).toBe(times.length);
      for (const [n, { id, schedule, scheduledFor }] of ran.entries()) {
        const at = times[n]!;
        expect(at % 1_000).toBe(0);
        expect(id).toBe(`default_${name}-${at}`);
        expect(scheduledFor?.getTime()).toBe(at);
        expect(schedule!.lag).toBeGreaterThanOrEqual(0);
        if (n > 0) expect(schedule!.previous!.getTime()).toBeLessThan(at);
      }
    }
    const [first] = clocks.ranFor('each-second');
    expect(first!.payload).toEqual({ at: 'cron' });
    expect(await jobs.job(first!.id).status()).toMatchObject({
      task: 'Clocks.tick',
      tags: ['clock'],
      scheduledFor: first!.scheduledFor!.toISOString(),
    });
    expect(clocks.ranFor('every-second')[0]!.payload).toBeUndefined();
    expect(clocks.ranFor('never')).toEqual([]);
  });

  it('[S1] [S7] are listed with those that were made at run time', async () => {
    const { jobs } = await start({ providers: [Clocks] });
    const { schedules } = await jobs.schedules.list();
    expect(schedules.map(({ name }) => name)).toEqual(['Clocks.yearly', 'each-second', 'every-second']);
    expect(schedules[0]).toMatchObject({
      task: 'Clocks.yearly',
      cron: '0 0 1 1 *',
      timeZone: 'Europe/Berlin',
      inCode: true,
      state: 'active',
      sent: 0,
      runs: [],
    });
    expect(schedules[2]).toMatchObject({ task: 'clocks.every', every: 1_000 });
    expect((await jobs.schedules.next('Clocks.yearly', 1))[0]!.toISOString()).toMatch(/-12-31T23:00:00.000Z$/);
    // The task is one like any other.
    expect(await (await jobs.enqueue(task(Clocks, 'yearly'))).result()).toBe('a new year');
    await expect(jobs.schedules.delete('Clocks.yearly')).rejects.toThrow('is declared in the code');
    await expect(jobs.schedules.update('Clocks.yearly', { cron: '* * * * *' })).rejects.toThrow('Change its decorator');
  });

  @Injectable()
  class Wrong {
    async run(_payload: { n: number }): Promise<void> {}
  }
  const wrong = (
    decorate: (target: object, method: string, descriptor: never) => void,
    className = 'Wrong',
  ): typeof Wrong => {
    const Made = { [className]: class extends Wrong { override async run(payload: { n: number }): Promise<void> { await super.run(payload); } } }[className]!; // prettier-ignore
    decorate(Made.prototype, 'run', Object.getOwnPropertyDescriptor(Made.prototype, 'run') as never);
    return Injectable()(Made) ?? Made;
  };

  it.each<[string, () => typeof Wrong, string]>([
    [
      'an expression',
      () => wrong(Cron('61 * * * *')),
      '@Cron of Wrong.run in RootTestModule has no cron expression in "61 * * * *"',
    ],
    ['an expression of seven fields', () => wrong(Cron('0 0 0 1 1 * 2030')), 'has no cron expression'],
    ['an expression that never comes', () => wrong(Cron('0 0 31 2 *')), 'never fires'],
    [
      'a zone',
      () => wrong(Cron('* * * * *', { timeZone: 'Mars/Base' })),
      'an IANA zone as "timeZone", as in \'Europe/Berlin\', but it is "Mars/Base"',
    ],
    ['two zones', () => wrong(Cron('* * * * *', { timeZone: 'UTC', utcOffset: 0 })), 'not both'],
    [
      'an interval',
      () => wrong(Every('5ms')),
      '@Every of Wrong.run in RootTestModule must have an interval from 1 second',
    ],
    ['an interval that is none', () => wrong(Every('soon' as never)), 'the interval must be a duration'],
    ['an option', () => wrong(Cron('* * * * *', { timezone: 'UTC' } as never)), 'has no option "timezone"'],
    [
      'a policy',
      () => wrong(Cron('* * * * *', { overlap: 'never' as never })),
      "'allow', 'skip', 'queue' or 'cancel-previous' as \"overlap\"",
    ],
    ['a name', () => wrong(Cron('* * * * *', { name: 'a b' })), 'must have a name of 1 to 100'],
    ['two of one name', () => wrong((target, method, descriptor) => { Every('1h')(target, method, descriptor); Every('2h')(target, method, descriptor); }), 'has the name "Wrong.run", and so has'], // prettier-ignore
    ['a payload that the schema refuses', () => wrong((target, method, descriptor) => { Task({ schema: z.object({ n: z.number() }) })(target, method, descriptor); Every('1h', { payload: { n: 'x' } as never })(target, method, descriptor); }), 'n'], // prettier-ignore
    ['a handler of failures', () => wrong((target, method, descriptor) => { OnFailure()(target, method, descriptor); Every('1h')(target, method, descriptor); }), 'a handler of failures'], // prettier-ignore
  ])('[S1] %s that is wrong stops the boot', async (_what, provider, message) => {
    const booting = startJobsApp({ backend, providers: [provider()] });
    await expect(booting).rejects.toThrow(message);
    await expect(booting).rejects.toThrow(InvalidScheduleError);
  });

  it('[S5] what the code has not any more stops, and what it has otherwise is changed', async () => {
    const logger = new MemoryLogger();
    const connection = backend.name === 'embedded' ? embeddedIn(join(directory, 'data')) : backend.connection()!;
    const options = { connection, namespace: uniqueNamespace(), lease: 3_000 };
    const first = await start({ providers: [Clocks], options });
    await apps.pop()!.close();
    expect(first.jobs).toBeDefined();
    const provider = wrong(Cron('0 0 1 1 *', { name: 'Clocks.yearly', timeZone: 'UTC', payload: { n: 1 } }));
    const { jobs } = await start({ providers: [provider], options, logger });
    const states = async (): Promise<unknown> =>
      (await jobs.schedules.list()).schedules.map(({ name, state }) => [name, state]);
    expect(await states()).toEqual([
      ['Clocks.yearly', 'active'],
      ['each-second', 'undeclared'],
      ['every-second', 'undeclared'],
    ]);
    expect(await jobs.schedules.get('Clocks.yearly')).toMatchObject({ timeZone: 'UTC', task: 'Wrong.run' });
    expect(logger.text()).toContain('Schedules of the code: changed Clocks.yearly; stopped each-second, every-second.');
    expect(await jobs.schedules.next('each-second')).toEqual([]);
    expect(await jobs.schedules.delete('each-second')).toBe(true);
    // Who has it in its code again goes on where it was, and makes up for what was missed.
    const { sent } = (await jobs.schedules.get('every-second'))!;
    await apps.pop()!.close();
    const again = await start({ providers: [Clocks], options });
    await eventually(async () => (await again.jobs.schedules.get('every-second'))!.sent > sent, { timeout: 30_000 });
    expect(await again.jobs.schedules.get('each-second')).toMatchObject({ state: 'active' });
  });
});
