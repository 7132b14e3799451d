import { Injectable } from '@nestjs/common';
import {
  JobsRunner,
  Locked,
  OnJobEvent,
  RateLimited,
  Skip,
  Snooze,
  Task,
  task,
  type JobContext,
  type JobEvent,
  type JobsModuleOptions,
} from 'nestjs-jobs';
import { JobsMetricsModule, type JobsMetricsOptions } from 'nestjs-jobs/metrics';
import { Registry } from 'prom-client';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { ScheduleFires } from '../../libs/jobs/src/schedule/schedule-fires.js';
import type { ScheduleRecord } from '../../libs/jobs/src/schedule/schedule-record.js';
import { Watchdog } from '../../libs/jobs/src/worker/watchdog.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp, type JobsAppSettings } from '../support/jobs-app.js';
import { promtool } from '../support/promtool.js';
import { Scrape } from '../support/scrape.js';
import { signal, type Signal } from '../support/signals.js';

const HOUR = 3_600_000;

@Injectable()
class Work {
  static gate: { entered: Signal; open: Signal };

  static close(): void {
    Work.gate = { entered: signal(), open: signal() };
  }

  @Task({ name: 'work.well' })
  well(): void {}

  @Task({ name: 'work.skips' })
  skips(): never {
    throw new Skip('nothing to do');
  }

  @Task({ name: 'work.fails', retry: { attempts: 3, delay: 1, jitter: 'none' } })
  fails(): never {
    throw new RangeError('too far');
  }

  @Task({ name: 'work.fails-as', retry: { attempts: 1 } })
  failsAs(name: string): never {
    throw Object.assign(new Error('of its own kind'), { name });
  }

  @Task({ name: 'work.snoozes' })
  snoozes(_payload: undefined, job: JobContext): void {
    if (!snoozed.has(job.id)) {
      snoozed.add(job.id);
      throw new Snooze(1);
    }
  }

  @Task({ name: 'work.limited' })
  @RateLimited({ limit: '2/s', burst: 1 })
  limited(): void {}

  @Task({ name: 'work.gated' })
  async gated(): Promise<void> {
    Work.gate.entered.reach();
    await Work.gate.open.reached;
  }

  /** Its first attempt hangs. */
  @Task({ name: 'work.left-behind' })
  async leftBehind(_payload: undefined, { attempt }: JobContext): Promise<void> {
    if (attempt === 1) await this.gated();
  }

  @Task({ name: 'work.locked' })
  @Locked({ key: () => 'one' })
  async locked(): Promise<void> {
    await this.gated();
  }
}

const snoozed = new Set<string>();

@Injectable()
class Listener {
  static hears: JobEvent[] = [];

  @OnJobEvent({ events: ['started', 'succeeded', 'skipped', 'failed', 'cancelled', 'retrying', 'snoozed'] })
  hear(event: JobEvent): void {
    Listener.hears.push(event);
    if (event.event === 'skipped') throw new Error('a listener failed');
  }
}

@Injectable()
class Slow {
  @OnJobEvent({ events: ['enqueued'] })
  hangs(): Promise<void> {
    return Work.gate.open.reached;
  }
}

describe.each(backends)('metrics on $name', (backend) => {
  let started: JobsApp;
  let register: Registry;

  beforeEach(() => {
    register = new Registry();
    Work.close();
    Listener.hears = [];
  });
  afterEach(async () => {
    Work.gate.open.reach();
    await started.close();
  });

  async function start(
    settings: Partial<JobsAppSettings> = {},
    metrics: JobsMetricsOptions = {},
    options: JobsModuleOptions = {},
  ): Promise<void> {
    started = await startJobsApp({
      backend,
      providers: [Work],
      imports: [JobsMetricsModule.forRoot({ register, ...metrics })],
      options: { queues: { default: { concurrency: 4 }, other: {} }, ...options },
      ...settings,
    });
  }

  async function scrape(): Promise<Scrape> {
    return new Scrape(await register.metrics());
  }

  /** Until these lines have these sums. */
  async function expectSums(sums: [name: string, labels: Record<string, string>, value: number][]): Promise<Scrape> {
    return eventually(
      async () => {
        const told = await scrape();
        expect(sums.map(([name, labels]) => [name, labels, told.sum(name, labels)])).toEqual(sums);
        return told;
      },
      { timeout: 30_000 },
    );
  }

  async function runAll(): Promise<void> {
    const { jobs } = started;
    await jobs.enqueue(task(Work, 'well'), undefined, { delay: 20 });
    await jobs.enqueueMany(
      (['well', 'skips', 'fails', 'snoozes'] as const).map((name) => ({ task: task(Work, name) })),
    );
    await jobs.queue('default').pause();
    const late = await jobs.enqueue(task(Work, 'well'), undefined, { expiresIn: 1 });
    const since = Date.now();
    await eventually(() => Date.now() > since + 1, { interval: 1 });
    await jobs.queue('default').resume();
    await late.result().catch(() => {});
    const gated = await jobs.enqueue(task(Work, 'gated'));
    await Work.gate.entered.reached;
    await gated.cancel();
    Work.gate.open.reach();
    await gated.result().catch(() => {});
  }

  const ENDS: [string, Record<string, string>, number][] = [
    ['jobs_finished_total', { task: 'work.well', queue: 'default', outcome: 'succeeded' }, 2],
    ['jobs_finished_total', { task: 'work.well', outcome: 'expired' }, 1],
    ['jobs_finished_total', { task: 'work.skips', outcome: 'skipped' }, 1],
    ['jobs_finished_total', { task: 'work.fails', outcome: 'failed' }, 1],
    ['jobs_finished_total', { task: 'work.snoozes', outcome: 'succeeded' }, 1],
    ['jobs_finished_total', { task: 'work.gated' }, 1],
    ['jobs_finished_total', {}, 7],
    ['jobs_failed_total', { task: 'work.fails', error: 'RangeError' }, 1],
    ['jobs_failed_total', {}, 1],
    ['jobs_retried_total', { task: 'work.fails' }, 2],
    ['jobs_snoozed_total', { task: 'work.snoozes' }, 1],
    ['jobs_started_total', { task: 'work.fails' }, 3],
    ['jobs_started_total', { task: 'work.well' }, 2],
    ['jobs_started_total', { task: 'work.snoozes' }, 2],
    ['jobs_started_total', {}, 9],
    ['jobs_duration_seconds_count', { task: 'work.fails' }, 3],
    ['jobs_duration_seconds_count', {}, 8],
    // Of each job that has begun, once.
    ['jobs_wait_seconds_count', {}, 6],
  ];

  it('[M2] counts attempts and ends, by task, queue, outcome and error', async () => {
    await start();
    await runAll();
    const told = await expectSums(ENDS);
    expect(told.sum('jobs_event_listener_errors_total')).toBe(0);
  });

  it('[M1] [M2] counts the same beside listeners, and what these hear', async () => {
    await start({ providers: [Work, Listener] });
    await runAll();
    const told = await expectSums([...ENDS, ['jobs_event_listener_errors_total', {}, 1]]);
    const heard = (...names: string[]): number => Listener.hears.filter(({ event }) => names.includes(event)).length;
    expect(heard('started')).toBe(told.sum('jobs_started_total'));
    expect(heard('retrying')).toBe(told.sum('jobs_retried_total'));
    expect(heard('snoozed')).toBe(told.sum('jobs_snoozed_total'));
    expect(heard('succeeded', 'skipped', 'failed', 'cancelled')).toBe(told.sum('jobs_finished_total'));
    const durations = Listener.hears.flatMap((event) => ('duration' in event ? [event.duration!] : []));
    expect(durations).toHaveLength(told.sum('jobs_duration_seconds_count'));
    const seconds = durations.reduce((sum, duration) => sum + duration, 0) / 1_000;
    expect(told.sum('jobs_duration_seconds_sum')).toBeCloseTo(seconds, 6);
  });

  it('[M2] counts attempts that a limit puts off, and how long they wait', async () => {
    await start();
    const jobs = await started.jobs.enqueueMany(Array.from({ length: 4 }, () => ({ task: task(Work, 'limited') })));
    for (const job of jobs) await job.result();
    const told = await expectSums([
      ['jobs_started_total', { task: 'work.limited' }, 4],
      ['jobs_wait_seconds_count', { task: 'work.limited' }, 4],
    ]);
    expect(told.sum('jobs_limited_total', { task: 'work.limited' })).toBeGreaterThanOrEqual(2);
    // The last of them has waited for a second and a half.
    expect(told.sum('jobs_wait_seconds_bucket', { task: 'work.limited', le: '1' })).toBeLessThan(4);
  });

  it('[M2] tells what runs and what waits now, in this process and in the fleet', async () => {
    await start(
      {},
      {},
      { queues: { default: { concurrency: 2 }, other: {}, idle: {} }, workers: { except: ['idle'] } },
    );
    const { jobs } = started;
    await jobs.enqueue(task(Work, 'locked'));
    await Work.gate.entered.reached;
    await jobs.enqueue(task(Work, 'locked'));
    await jobs.enqueue(task(Work, 'gated'));
    await jobs.enqueueMany([1, 2, 3].map(() => ({ task: task(Work, 'well'), options: { queue: 'idle' } })));
    await jobs.enqueue(task(Work, 'well'), undefined, { delay: '1h' });
    await expectSums([
      ['jobs_active', { queue: 'default' }, 2],
      ['jobs_workers', {}, 2],
      ['jobs_workers', { queue: 'idle' }, 0],
      ['jobs_worker_slots', { queue: 'default' }, 2],
      ['jobs_worker_slots', { queue: 'other' }, 10],
      ['jobs_queue_depth', { queue: 'idle', state: 'waiting' }, 3],
      ['jobs_queue_depth', { queue: 'default', state: 'running' }, 2],
      // One is scheduled, and one in line for the lock.
      ['jobs_queue_depth', { queue: 'default', state: 'delayed' }, 2],
      ['jobs_locks_waiting', {}, 1],
    ]);
    await eventually(async () =>
      expect((await scrape()).sum('jobs_oldest_waiting_seconds', { queue: 'idle' })).toBeGreaterThan(0),
    );
    expect((await scrape()).of('jobs_oldest_waiting_seconds', { queue: 'other' })).toMatchObject([{ value: 0 }]);
  });

  it('[M2] tells of dead letters', async () => {
    await start();
    await started.jobs.enqueue(task(Work, 'failsAs'), 'OddError');
    await expectSums([
      ['jobs_dead_letters', { queue: 'default' }, 1],
      ['jobs_dead_letters', {}, 1],
    ]);
  });

  it('[S7] [M2] counts what schedules sent and missed, and how late', async () => {
    await start();
    const { jobs, app } = started;
    await jobs.schedules.create({ name: 'hourly', task: task(Work, 'well'), cron: '0 * * * *', missed: 'run-once' });
    const { schedules: store } = app.get<QueueBackend>(QUEUE_BACKEND);
    const { version, body } = (await store.read('hourly'))!;
    const record = JSON.parse(body) as ScheduleRecord;
    const last = Date.now() - 3 * HOUR;
    const state = { ...record.state, since: last, last };
    expect(await store.write('hourly', version, JSON.stringify({ ...record, state }), {})).toBe(true);
    await app.get(ScheduleFires).fire('hourly');
    await jobs.schedules.trigger('hourly');
    const told = await expectSums([
      ['jobs_schedule_fired_total', { task: 'work.well', queue: 'default' }, 1],
      ['jobs_schedule_missed_total', { task: 'work.well', queue: 'default' }, 2],
      ['jobs_schedule_lag_seconds_count', { task: 'work.well' }, 1],
    ]);
    expect(told.sum('jobs_schedule_lag_seconds_sum')).toBeGreaterThanOrEqual(0);
    expect(told.text).not.toContain('hourly');
  });

  it('[M2] has all counters of the tasks that it works from the start on, with zeros', async () => {
    await start();
    const told = await scrape();
    for (const name of ['jobs_started_total', 'jobs_retried_total', 'jobs_limited_total', 'jobs_stalled_total']) {
      expect(told.of(name, { task: 'work.fails', queue: 'default' })).toMatchObject([{ value: 0 }]);
    }
    expect(told.of('jobs_finished_total', { task: 'work.fails', outcome: 'failed' })).toMatchObject([{ value: 0 }]);
  });

  it('[M2] has labels of a bounded number: names of errors, and of tasks that it does not know', async () => {
    await start({}, {}, { unknownTaskGrace: 1 });
    const { jobs } = started;
    const names = Array.from({ length: 130 }, (_, n) => `Error of user ${n}`);
    await jobs.enqueueMany(names.map((payload) => ({ task: task(Work, 'failsAs'), payload })));
    await jobs.queue('default').add('somebody.elses', {}, { attempts: 1 });
    const told = await expectSums([
      ['jobs_finished_total', { outcome: 'failed', task: 'work.fails-as' }, 130],
      ['jobs_finished_total', { outcome: 'failed', task: 'unknown' }, 1],
    ]);
    expect(new Set(told.of('jobs_failed_total').map(({ labels }) => labels['error'])).size).toBe(101);
    expect(told.sum('jobs_failed_total')).toBe(131);
    expect(told.sum('jobs_failed_total', { error: 'other' })).toBe(31);
    expect(told.text).not.toContain('somebody.elses');
  });

  it('[M2] counts attempts that are left behind', async () => {
    await start({}, {}, { lease: 2_000 });
    const job = await started.jobs.enqueue(task(Work, 'leftBehind'));
    await Work.gate.entered.reached;
    const { workers } = started.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    const { lockManager } = workers.get('default') as unknown as { lockManager: { trackedJobs: Map<string, unknown> } };
    // Its claim is renewed no more, as if its process were frozen.
    lockManager.trackedJobs.delete(job.id);
    await job.result({ timeout: '30s' });
    Work.gate.open.reach();
    await expectSums([
      ['jobs_stalled_total', { task: 'work.left-behind', queue: 'default' }, 1],
      ['jobs_started_total', { task: 'work.left-behind' }, 2],
      ['jobs_finished_total', { task: 'work.left-behind' }, 1],
      ['jobs_wait_seconds_count', { task: 'work.left-behind' }, 1],
    ]);
  });

  it('[M2] counts events that listeners are too slow for', async () => {
    await start({ providers: [Work, Slow] }, {}, { workers: false });
    await started.jobs.enqueueMany(Array.from({ length: 1_020 }, () => ({ task: task(Work, 'well') })));
    await expectSums([
      ['jobs_event_listener_dropped_total', {}, 20],
      ['jobs_event_listener_errors_total', {}, 0],
    ]);
  });

  it('[M2] counts what the watchdog did', async () => {
    await start();
    Object.defineProperty(started.app.get(Watchdog), 'restarts', { value: 3 });
    await expectSums([['jobs_watchdog_restarts_total', {}, 3]]);
  });

  it('[M2] is clean for promtool', async () => {
    await start({ providers: [Work, Listener] });
    await runAll();
    await expectSums(ENDS);
    expect(await promtool(['check', 'metrics'], (await scrape()).text)).toEqual({ code: 0, says: '' });
  });
});
