import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  Task,
  task,
  type JobContext,
  type JobsService,
  type NewSchedule,
  type ScheduleInfo,
  type StandardSchemaV1,
} from 'nestjs-jobs';
import { JobsHealthModule } from 'nestjs-jobs/health';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { ScheduleFires } from '../../libs/jobs/src/schedule/schedule-fires.js';
import type { ScheduleRecord } from '../../libs/jobs/src/schedule/schedule-record.js';
import type { TestBackend } from './backends.js';
import { eventually } from './eventually.js';
import { startJobsApp, type JobsApp } from './jobs-app.js';
import { signal } from './signals.js';

export const HOUR = 3_600_000;

function ranFor({ schedule }: JobContext) {
  return { at: schedule?.scheduledFor.getTime(), previous: schedule?.previous?.getTime(), by: schedule?.by };
}

const positive: StandardSchemaV1<{ amount: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const amount = (value as { amount?: unknown } | null)?.amount;
      return typeof amount === 'number' && amount > 0
        ? { value: { amount } }
        : { issues: [{ message: 'not positive' }] };
    },
  },
};

@Injectable()
class Charges {
  @Task({ name: 'charge', queue: 'bulk', priority: 7, schema: positive })
  async charge(payload: { amount: number }): Promise<number> {
    return payload.amount;
  }
}

/** Tasks of schedules, which know what ran. */
@Injectable()
export class Reports {
  readonly ran: (ReturnType<typeof ranFor> & { id: string; payload: unknown })[] = [];
  open = signal();
  running = 0;
  together = 0;

  @Task()
  async make(payload: { user: string }, job: JobContext): Promise<string> {
    this.ran.push({ id: job.id, ...ranFor(job), payload });
    return payload.user;
  }

  @Task({ retry: { attempts: 1 } })
  async slow(payload: { user: string }, job: JobContext): Promise<void> {
    this.together = Math.max(this.together, ++this.running);
    this.ran.push({ id: job.id, ...ranFor(job), payload });
    const aborted = new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    await Promise.race([this.open.reached, aborted]);
    this.running--;
    job.signal.throwIfAborted();
  }
}

export const make = task(Reports, 'make');
export const charge = task(Charges, 'charge');
export const slow = task(Reports, 'slow');

/** Schedules that are made at run time, in one app for the tests of a `describe`, each of which begins without any. */
export class StoredSchedules {
  reports!: Reports;
  private started!: JobsApp;
  private store!: QueueBackend['schedules'];

  constructor(backend: TestBackend) {
    beforeAll(async () => {
      this.started = await startJobsApp({
        backend,
        providers: [Reports, Charges],
        imports: [JobsHealthModule],
        // It is looked for alarms that are lost, and for tasks that nobody runs, three times in a lease.
        options: { lease: 6_000, queues: { bulk: {}, hasty: { defaults: { expiresIn: '1h' } } } },
      });
      this.reports = this.app.get(Reports);
      this.store = this.app.get<QueueBackend>(QUEUE_BACKEND).schedules;
    });
    afterAll(() => this.started?.close());
    beforeEach(() => {
      this.reports.ran.length = 0;
      this.reports.open = signal();
      this.reports.together = 0;
    });
    afterEach(async () => {
      this.reports.open.reach();
      const { schedules } = await this.jobs.schedules.list({ limit: 500 });
      for (const { name } of schedules) await this.jobs.schedules.delete(name);
    });
  }

  get app(): JobsApp['app'] {
    return this.started.app;
  }

  get jobs(): JobsService {
    return this.started.jobs;
  }

  create(schedule: Partial<NewSchedule<{ user: string }>> & { name: string }): Promise<ScheduleInfo> {
    const defaults = { task: make, payload: { user: 'ada' }, cron: '0 6 1 1 *' };
    return this.jobs.schedules.create({ ...defaults, ...schedule } as NewSchedule);
  }

  async info(name: string): Promise<ScheduleInfo> {
    return (await this.jobs.schedules.get(name))!;
  }

  /** As if the fleet had been down since then. */
  async wasLastLookedAt(name: string, last: number): Promise<void> {
    const { body, version } = (await this.store.read(name))!;
    const record = JSON.parse(body) as ScheduleRecord;
    const state = { ...record.state, since: last, last };
    const isWritten = await this.store.write(name, version, JSON.stringify({ ...record, state }), { next: last });
    if (!isWritten) throw new Error(`schedule "${name}" was written by somebody else`);
  }

  look(name: string): Promise<unknown> {
    return this.app.get(ScheduleFires, { strict: false }).fire(name);
  }

  /** The next thing that is written is not, but `instead` is done. */
  failNextWrite(instead: () => Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      jest.spyOn(this.store, 'write').mockImplementationOnce(async () => {
        await instead();
        resolve();
        throw new Error('the store is away');
      });
    });
  }

  async untilRan(count: number): Promise<void> {
    await eventually(() => this.reports.ran.length === count, { timeout: 30_000 });
  }
}
