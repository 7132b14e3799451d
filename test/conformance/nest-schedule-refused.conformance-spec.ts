import { Injectable } from '@nestjs/common';
import { Cron, Interval, ScheduleModule } from '@nestjs/schedule';
import { Cron as FleetCron, InvalidScheduleError, InvalidTaskError, Task } from 'nestjs-jobs';
import { NestScheduleError, PerProcess } from 'nestjs-jobs/nest-schedule';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsAppSettings } from '../support/jobs-app.js';

@Injectable()
class Both {
  @Task()
  @Cron('0 0 1 1 *')
  async both(): Promise<void> {}
}

@Injectable()
class LocalTask {
  @Task()
  @PerProcess()
  @Interval(5_000)
  async run(): Promise<void> {}
}
@Injectable()
class TwoOfOneName {
  @Cron('0 1 * * *', { name: 'same' })
  one(): void {}
  @Interval('same', 5_000)
  two(): void {}
}
@Injectable()
class Beside {
  @FleetCron('0 0 1 1 *')
  @Cron('0 0 1 1 *')
  async run(): Promise<void> {}
}

describe.each(backends)('methods of @nestjs/schedule that cannot be adopted on $name', (backend) => {
  it.each<[string, Omit<JobsAppSettings, 'backend'>, string, new (...args: never[]) => Error]>([
    [
      'without its module',
      { imports: [] },
      'ScheduleModule.forRoot() of @nestjs/schedule is not imported',
      NestScheduleError,
    ],
    ['a task without the option', { providers: [Both], options: { adoptNestSchedule: false } }, 'Both.both in RootTestModule is a task and has @Cron of @nestjs/schedule', InvalidTaskError], // prettier-ignore
    ['a task by our @Cron without the option', { providers: [Beside], options: { adoptNestSchedule: false } }, 'set adoptNestSchedule: true', InvalidTaskError], // prettier-ignore
    [
      'a task of each process',
      { providers: [LocalTask] },
      '@Interval of LocalTask.run in RootTestModule stands on a task',
      InvalidScheduleError,
    ],
    ['two of one name', { providers: [TwoOfOneName] }, 'has the name "same", and so has', InvalidScheduleError],
  ])('[S1] %s: the app does not boot', async (_what, settings, message, type) => {
    const booting = startJobsApp({
      backend,
      imports: [ScheduleModule.forRoot()],
      ...settings,
      options: { adoptNestSchedule: true, ...settings.options },
    });
    await expect(booting).rejects.toThrow(message);
    await expect(booting).rejects.toThrow(type);
  });
});
