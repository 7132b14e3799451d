import { setTimeout as pause } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  JobsRunner,
  Task,
  task,
  type EnqueueOptions,
  type JobContext,
  type JobHandle,
  type JobsModuleOptions,
  type TaskRef,
} from 'nestjs-jobs';
import { JobsHealthIndicator, JobsHealthModule } from 'nestjs-jobs/health';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal, type Signal } from '../support/signals.js';
import { Watchdog } from '../../libs/jobs/src/worker/watchdog.js';
import { WorkerWatch } from '../../libs/jobs/src/worker/worker-watch.js';

const LEASE = 2_000;
/** Shorter than a lease, or the job that blocks would run again. */
const BLOCKED = LEASE * 0.6;

@Injectable()
class Laps {
  /** By queue. */
  static gates = new Map<string, { entered: Signal; open: Signal }>();

  static gate(queue: string): { entered: Signal; open: Signal } {
    const gate = { entered: signal(), open: signal() };
    Laps.gates.set(queue, gate);
    return gate;
  }

  @Task({ name: 'laps.gated', queue: 'single' })
  async gated(_payload: void, { queue }: JobContext): Promise<void> {
    const { entered, open } = Laps.gates.get(queue)!;
    entered.reach();
    await open.reached;
  }

  @Task({ name: 'laps.quick', queue: 'single' })
  quick(): void {}

  @Task({ name: 'laps.blocks' })
  blocks(duration: number): void {
    const end = performance.now() + duration;
    while (performance.now() < end);
  }
}

const gated = task(Laps, 'gated');
const quick = task(Laps, 'quick');

describe.each(backends)('the watchdog on $name', (backend) => {
  let log: MemoryLogger;

  beforeEach(() => {
    Laps.gates.clear();
    log = new MemoryLogger();
  });

  function start(options: JobsModuleOptions = {}): Promise<JobsApp> {
    return startJobsApp({
      backend,
      providers: [Laps],
      imports: [JobsHealthModule],
      logger: log,
      options: { lease: LEASE, queues: { single: { concurrency: 1 } }, ...options },
    });
  }

  /** Until the watchdog has looked at each worker often enough to find a deaf one three times over. */
  async function watchLong(workers: number): Promise<void> {
    const looks = jest.spyOn(WorkerWatch.prototype, 'look');
    await eventually(() => looks.mock.calls.length >= workers * 18, { timeout: 30_000 });
    looks.mockRestore();
  }

  async function expectNoAlarm({ app }: JobsApp, queues: string[]): Promise<void> {
    const worked = ['default', ...queues, 'jobs-internal'];
    await watchLong(worked.length);
    const consumption = await app.get(JobsRunner).consumption();
    expect(consumption).toEqual(worked.map((queue) => ({ queue, consuming: true })));
    const health = app.get(JobsHealthIndicator, { strict: false });
    expect(await health.isHealthy()).toMatchObject({ jobs: { status: 'up', watchdogRestarts: 0 } });
    expect(log.text()).not.toContain('Watchdog');
  }

  it('has nothing against queues that are paused, busy, at a limit, or without jobs that are due', async () => {
    const queues = {
      idle: {},
      later: {},
      paused: {},
      single: { concurrency: 1 },
      'at-global-limit': { concurrency: 2 },
      limited: {},
    };
    const started = await start({ queues });
    const { jobs } = started;
    const add = (
      queue: string,
      what: TaskRef<undefined, null>,
      options: EnqueueOptions = {},
    ): Promise<JobHandle<null>> => jobs.enqueue(what, undefined, { ...options, queue });

    await jobs.queue('paused').pause();
    const paused = await add('paused', quick);
    await jobs.queue('at-global-limit').setGlobalConcurrency(1);
    const busy: JobHandle<null>[] = [];
    for (const queue of ['single', 'at-global-limit']) {
      const { entered } = Laps.gate(queue);
      busy.push(await add(queue, gated));
      await entered.reached;
      busy.push(await add(queue, quick));
    }
    await jobs.queue('limited').rateLimit(3_600_000);
    await add('limited', quick);
    await add('later', quick, { delay: '1h' });

    await expectNoAlarm(started, Object.keys(queues));
    await jobs.queue('paused').resume();
    await paused.result();
    for (const { open } of Laps.gates.values()) open.reach();
    for (const job of busy) await job.result();
    await jobs.queue('limited').removeRateLimitKey();
    await started.close();
  });

  it('looks at nothing any more once the process drains', async () => {
    const started = await start();
    await started.app.get(JobsRunner).drain();
    await started.jobs.enqueue(quick);
    const looks = jest.spyOn(WorkerWatch.prototype, 'look');
    await pause(LEASE);
    expect(looks).not.toHaveBeenCalled();
    looks.mockRestore();
    expect(started.app.get(Watchdog, { strict: false }).restarts).toBe(0);
    await started.close();
  });

  it('warns once of an event loop that was blocked for longer than half a lease, and names what ran', async () => {
    const started = await start();
    const gate = Laps.gate('single');
    const bystander = await started.jobs.enqueue(gated);
    await gate.entered.reached;
    const short = await started.jobs.enqueue(task(Laps, 'blocks'), LEASE / 8);
    await short.result();
    expect(log.text()).not.toContain('event loop');
    const first = await started.jobs.enqueue(task(Laps, 'blocks'), BLOCKED);
    await first.result();
    await eventually(() => log.text().includes('event loop'));
    const warning = log
      .text()
      .split('\n')
      .find((line) => line.includes('event loop'))!;
    expect(warning).toContain(`laps.blocks (job ${first.id})`);
    expect(warning).toContain(`laps.gated (job ${bystander.id})`);
    expect(warning).toContain('worker thread');
    expect(warning).not.toContain(short.id);
    expect(Number(/blocked for (\d+) ms/.exec(warning)![1])).toBeGreaterThan(LEASE / 2);
    await (await started.jobs.enqueue(task(Laps, 'blocks'), BLOCKED)).result();
    gate.open.reach();
    await bystander.result();
    expect(log.text().match(/event loop was blocked/g)).toHaveLength(1);
    expect(log.text()).not.toContain('Watchdog');
    await started.close();
  });
});
