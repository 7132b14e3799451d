import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { chain, NonRetryableError, OnFailure, Task, task, type JobContext, type JobsModuleOptions } from 'nestjs-jobs';
import { JobsMetricsModule } from 'nestjs-jobs/metrics';
import { Registry } from 'prom-client';
import { backends, embeddedIn, ownNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Scrape } from '../support/scrape.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Work {
  static entered: Signal;
  static open: Signal;

  @Task({ name: 'odd.well' })
  well(): void {}

  @Task({ name: 'odd.fails' })
  fails(): never {
    throw new NonRetryableError('no use');
  }

  @OnFailure({ tasks: ['odd.fails'] }, { name: 'odd.told' })
  told(): void {}

  @Task({ name: 'odd.hangs' })
  async hangs(_payload: undefined, { attempt }: JobContext): Promise<number> {
    Work.entered.reach();
    await Work.open.reached;
    return attempt;
  }
}

const well = task(Work, 'well');
const hangs = task(Work, 'hangs');

describe.each(backends)('counts of odd ends on $name', (backend) => {
  const apps: JobsApp[] = [];
  let directory: string;
  let options: JobsModuleOptions;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jobs-metrics-'));
    const connection = backend.name === 'embedded' ? embeddedIn(directory) : backend.connection()!;
    [Work.entered, Work.open] = [signal(), signal()];
    options = { connection, namespace: ownNamespace(backend), shutdown: { grace: 1 } };
  });
  afterEach(async () => {
    Work.open.reach();
    await Promise.all(apps.splice(0).map(({ close }) => close()));
    await rm(directory, { recursive: true, force: true });
  });

  async function start(register: Registry): Promise<JobsApp> {
    const imports = [JobsMetricsModule.forRoot({ register })];
    const app = await startJobsApp({ backend, providers: [Work], imports, options });
    apps.push(app);
    return app;
  }

  const becomes = (register: Registry, sums: [name: string, labels: Record<string, string>, value: number][]) =>
    eventually(
      async () => {
        const told = new Scrape(await register.metrics());
        expect(sums.map(([name, labels]) => [name, labels, told.sum(name, labels)])).toEqual(sums);
      },
      { timeout: 30_000 },
    );

  it('[M2] a job that is cancelled while it waits ends once, and has neither begun nor waited', async () => {
    const register = new Registry();
    const { jobs } = await start(register);
    await jobs.queue('default').pause();
    const [waiting, scheduled] = [await jobs.enqueue(well), await jobs.enqueue(well, undefined, { delay: '1h' })];
    for (const job of [waiting, scheduled]) {
      await job.cancel();
      await job.cancel();
    }
    await jobs.queue('default').resume();
    await (await jobs.enqueue(well)).result();
    await becomes(register, [
      ['jobs_finished_total', { task: 'odd.well', outcome: 'cancelled' }, 2],
      ['jobs_finished_total', {}, 3],
      ['jobs_started_total', {}, 1],
      ['jobs_wait_seconds_count', {}, 1],
      ['jobs_duration_seconds_count', {}, 1],
    ]);
  });

  it('[M2] calls that share a job are one job', async () => {
    const register = new Registry();
    const { jobs } = await start(register);
    await jobs.queue('default').pause();
    const unique = { key: 'one' };
    const calls = [await jobs.enqueue(well, undefined, { unique }), await jobs.enqueue(well, undefined, { unique })];
    const debounce = { key: 'late', wait: 50 };
    for (let call = 0; call < 3; call++) calls.push(await jobs.enqueue(well, undefined, { debounce }));
    await jobs.queue('default').resume();
    for (const job of calls) await job.result();
    await (await jobs.enqueue(hangs, undefined, { delay: 100 })).cancel();
    await becomes(register, [
      ['jobs_started_total', {}, 2],
      ['jobs_finished_total', { outcome: 'succeeded' }, 2],
      ['jobs_finished_total', {}, 3],
      ['jobs_wait_seconds_count', {}, 2],
    ]);
  });

  it('[M2] each part of a canvas ends once, those that another one takes along too, and handlers of failures', async () => {
    const register = new Registry();
    const { jobs } = await start(register);
    const canvas = chain(well.si(), task(Work, 'fails').si(), well.si(), well.si());
    await (await jobs.start(canvas)).result().catch(() => {});
    await becomes(register, [
      ['jobs_finished_total', { task: 'odd.well', outcome: 'succeeded' }, 1],
      ['jobs_finished_total', { task: 'odd.well', outcome: 'failed' }, 2],
      ['jobs_finished_total', { task: 'odd.fails', outcome: 'failed' }, 1],
      ['jobs_failed_total', {}, 3],
      ['jobs_retried_total', {}, 0],
      ['jobs_started_total', { task: 'odd.well' }, 1],
      ['jobs_started_total', { task: 'odd.fails' }, 1],
      ['jobs_wait_seconds_count', { task: 'odd.well' }, 0],
      ['jobs_finished_total', { queue: 'default' }, 5],
      ['jobs_finished_total', { task: 'odd.told' }, 1],
    ]);
  });

  it('[C2] [M2] a job that a shutdown gives back has begun twice, and ends once in the sum', async () => {
    const [first, second] = [new Registry(), new Registry()];
    const leaving = await start(first);
    const { id } = await leaving.jobs.enqueue(hangs);
    await Work.entered.reached;
    await leaving.close();
    apps.splice(0);
    Work.open.reach();
    const next = await start(second);
    await next.jobs.job(id).result();
    await becomes(second, [['jobs_finished_total', { task: 'odd.hangs' }, 1]]);
    const sums = new Scrape((await first.metrics()) + (await second.metrics()));
    expect([sums.sum('jobs_finished_total'), sums.sum('jobs_stalled_total')]).toEqual([1, 0]);
    expect(sums.sum('jobs_started_total')).toBe(2);
    expect(sums.sum('jobs_retried_total')).toBe(0);
  });
});
