import { setTimeout as pause } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { JobsRunner, Task, task, type JobsModuleOptions } from 'nestjs-jobs';
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
  static gate: { entered: Signal; open: Signal };

  @Task({ name: 'laps.gated', queue: 'single' })
  async gated(): Promise<void> {
    Laps.gate.entered.reach();
    await Laps.gate.open.reached;
  }

  @Task({ name: 'laps.quick', queue: 'single' })
  quick(): void {}

  @Task({ name: 'laps.blocks' })
  blocks(duration: number): void {
    const end = performance.now() + duration;
    while (performance.now() < end);
  }
}

describe.each(backends)('the watchdog on $name', (backend) => {
  let log: MemoryLogger;

  beforeEach(() => {
    Laps.gate = { entered: signal(), open: signal() };
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
  async function watchLong(): Promise<void> {
    const looks = jest.spyOn(WorkerWatch.prototype, 'look');
    await eventually(() => looks.mock.calls.length >= 3 * 18, { timeout: 30_000 });
    looks.mockRestore();
  }

  async function expectNoAlarm({ app }: JobsApp): Promise<void> {
    await watchLong();
    expect(await app.get(JobsRunner).consumption()).toEqual([
      { queue: 'default', consuming: true },
      { queue: 'single', consuming: true },
      { queue: 'canvas-nodes', consuming: true },
    ]);
    const health = app.get(JobsHealthIndicator, { strict: false });
    expect(await health.isHealthy()).toMatchObject({ jobs: { status: 'up', watchdogRestarts: 0 } });
    expect(log.text()).not.toContain('Watchdog');
  }

  it('has nothing against a queue that is paused, then goes on', async () => {
    const started = await start();
    await started.jobs.queue('single').pause();
    const job = await started.jobs.enqueue(task(Laps, 'quick'));
    await expectNoAlarm(started);
    await started.jobs.queue('single').resume();
    await job.result();
    await started.close();
  });

  it.each([
    ['a worker whose slots are all busy while jobs wait', { concurrency: 1, fleet: 2 }],
    ['a queue whose limit for the fleet is reached', { concurrency: 2, fleet: 1 }],
  ])('has nothing against %s', async (_what, { concurrency, fleet }) => {
    const started = await start({ queues: { single: { concurrency } } });
    await started.jobs.queue('single').setGlobalConcurrency(fleet);
    const first = await started.jobs.enqueue(task(Laps, 'gated'));
    await Laps.gate.entered.reached;
    const second = await started.jobs.enqueue(task(Laps, 'quick'));
    await expectNoAlarm(started);
    Laps.gate.open.reach();
    await Promise.all([first.result(), second.result()]);
    await started.close();
  });

  it('has nothing against a queue that is rate-limited', async () => {
    const started = await start();
    const queue = started.jobs.queue('single');
    await queue.rateLimit(3_600_000);
    await started.jobs.enqueue(task(Laps, 'quick'));
    await expectNoAlarm(started);
    await queue.removeRateLimitKey();
    await started.close();
  });

  it('has nothing against a queue without jobs, or with delayed ones only', async () => {
    const started = await start();
    await started.jobs.enqueue(task(Laps, 'quick'), undefined, { delay: '1h' });
    await expectNoAlarm(started);
    await started.close();
  });

  it('looks at nothing any more once the process drains', async () => {
    const started = await start();
    await started.app.get(JobsRunner).drain();
    await started.jobs.enqueue(task(Laps, 'quick'));
    const looks = jest.spyOn(WorkerWatch.prototype, 'look');
    await pause(LEASE);
    expect(looks).not.toHaveBeenCalled();
    looks.mockRestore();
    expect(started.app.get(Watchdog, { strict: false }).restarts).toBe(0);
    await started.close();
  });

  it('warns once of an event loop that was blocked for longer than half a lease, and names what ran', async () => {
    const started = await start();
    const bystander = await started.jobs.enqueue(task(Laps, 'gated'));
    await Laps.gate.entered.reached;
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
    Laps.gate.open.reach();
    await bystander.result();
    expect(log.text().match(/event loop was blocked/g)).toHaveLength(1);
    expect(log.text()).not.toContain('Watchdog');
    await started.close();
  });
});
