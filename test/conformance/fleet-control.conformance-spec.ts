import { jest } from '@jest/globals';
import { JobsRunner, ProcessRefusedError } from 'nestjs-jobs';
import { WindowedQueueBackend } from '../../libs/jobs/src/backend/sql/windowed-queue-backend.js';
import { Watchdog } from '../../libs/jobs/src/worker/watchdog.js';
import { WorkerWatch } from '../../libs/jobs/src/worker/worker-watch.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { elsewhere, gated, idOf, Lanes, numbers, quick, run, start } from '../support/lanes.js';
import { sized } from '../support/test-form.js';

beforeEach(() => Lanes.reset());

describe.each(backends)('control of the fleet on $name', (backend) => {
  let app: JobsApp;
  afterEach(async () => {
    Lanes.gate.reach();
    await app.close();
  });

  /** Until what could have begun has: a job of another queue goes the same way. */
  const letPass = async (): Promise<void> => {
    await (await app.jobs.enqueue(elsewhere)).result();
  };

  it('[M5] of a paused queue nothing begins while what runs ends; resumed, it goes on', async () => {
    app = await start(backend);
    const { jobs } = app;
    await jobs.enqueue(gated);
    await eventually(() => expect(Lanes.running).toBe(1));
    await jobs.fleet.pauseQueue('lanes');
    const waiting = await jobs.enqueue(quick, 'later');
    Lanes.gate.reach();
    await eventually(() => expect(Lanes.running).toBe(0));
    await letPass();
    expect(await waiting.status()).toMatchObject({ state: 'pending' });
    expect((await jobs.fleet.stats()).queues.find(({ queue }) => queue === 'lanes')).toMatchObject({ paused: true });
    expect(Lanes.ran).toEqual([]);
    await jobs.fleet.resumeQueue('lanes');
    expect(await waiting.result()).toBe('later');
  });

  it('[M5] a paused process begins nothing of a queue, or of any, and answers', async () => {
    app = await start(backend);
    const { jobs } = app;
    const id = await idOf(jobs);
    expect((await jobs.fleet.pauseProcess(id, { queue: 'lanes' })).queues).toMatchObject([
      { queue: 'default', paused: false },
      { queue: 'lanes', paused: true },
      { queue: 'other', paused: false },
    ]);
    const waiting = await jobs.enqueue(quick, 'later');
    await letPass();
    expect(await waiting.status()).toMatchObject({ state: 'pending' });
    expect((await jobs.fleet.pauseProcess(id)).queues.map(({ paused }) => paused)).toEqual([true, true, true]);
    const other = await jobs.enqueue(elsewhere);
    expect(await jobs.fleet.ping()).toMatchObject([{ process: id }]);
    expect(await app.app.get(JobsRunner).consumption()).toContainEqual({
      queue: 'lanes',
      consuming: true,
      paused: true,
    });
    expect(await app.app.get(JobsRunner).consumption()).toContainEqual({ queue: 'jobs-internal', consuming: true });
    expect(await other.status()).toMatchObject({ state: 'pending' });
    expect((await jobs.fleet.resumeProcess(id)).queues.map(({ paused }) => paused)).toEqual([false, false, false]);
    expect(await waiting.result()).toBe('later');
    await other.result();
    expect(await app.app.get(JobsRunner).consumption()).toContainEqual({ queue: 'lanes', consuming: true });
  });

  it('[M5] what runs when its process is paused keeps its claim, and ends once', async () => {
    app = await start(backend, { lease: '1s' });
    const { jobs } = app;
    const running = await jobs.enqueue(gated);
    await eventually(() => expect(Lanes.running).toBe(1));
    await jobs.fleet.pauseProcess(await idOf(jobs));
    const renewals = jest.spyOn(WorkerWatch.prototype, 'look');
    await eventually(() => renewals.mock.calls.length >= sized(100, 50), { timeout: 60_000 });
    renewals.mockRestore();
    expect(await running.status()).toMatchObject({ state: 'running', attempt: 1 });
    await jobs.fleet.resumeProcess(await idOf(jobs));
    Lanes.gate.reach();
    await running.result();
    expect(await running.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(Lanes.most).toBe(1);
  });

  it('[M5] the watchdog takes neither a paused queue nor a paused process for deaf', async () => {
    app = await start(backend, { lease: '2s' });
    const { jobs } = app;
    await jobs.fleet.pauseQueue('lanes');
    await jobs.fleet.pauseProcess(await idOf(jobs), { queue: 'other' });
    const waiting = await Promise.all([jobs.enqueue(quick, 'later'), jobs.enqueue(elsewhere)]);
    const looks = jest.spyOn(WorkerWatch.prototype, 'look');
    await eventually(() => looks.mock.calls.length >= 4 * 18, { timeout: 60_000 });
    looks.mockRestore();
    expect(app.app.get(Watchdog).restarts).toBe(0);
    const consumption = await app.app.get(JobsRunner).consumption();
    expect(consumption.filter(({ consuming }) => !consuming)).toEqual([]);
    await jobs.fleet.resumeQueue('lanes');
    await jobs.fleet.resumeProcess(await idOf(jobs));
    await Promise.all(waiting.map((handle) => handle.result()));
  });

  it('[M5] pausing and resuming under load loses nothing, and nothing runs twice', async () => {
    app = await start(backend, { queues: { lanes: { concurrency: 8 } } });
    const { jobs } = app;
    const id = await idOf(jobs);
    const texts = numbers(sized(300, 100));
    const results = run(jobs, texts);
    for (let n = 0; n < 6; n++) {
      await jobs.fleet.pauseProcess(id);
      await jobs.fleet.resumeProcess(id);
      await jobs.fleet.pauseQueue('lanes');
      await jobs.fleet.resumeQueue('lanes');
    }
    expect(await results).toEqual(texts);
    expect(Lanes.ran.toSorted()).toEqual(texts.toSorted());
  });

  it('[M5] another concurrency takes effect at once, and ends nothing', async () => {
    app = await start(backend);
    const { jobs } = app;
    await idOf(jobs);
    await jobs.enqueueMany(Array.from({ length: 8 }, () => ({ task: gated })));
    await eventually(() => expect(Lanes.running).toBe(2));
    expect(await jobs.fleet.setConcurrency('lanes', 5)).toMatchObject([
      { queues: [{}, { queue: 'lanes', concurrency: 5 }, {}] },
    ]);
    await eventually(() => expect(Lanes.running).toBe(5));
    await jobs.fleet.setConcurrency('lanes', 1);
    expect(Lanes.running).toBe(5);
    Lanes.gate.reach();
    await eventually(async () => expect(await jobs.fleet.active()).toEqual([]));
    Lanes.most = 0;
    await run(jobs, numbers(20));
    expect(Lanes.most).toBe(1);
  });

  it('[C4] the whole fleet runs no more than the global concurrency, which is changed while it works', async () => {
    app = await start(backend, { queues: { lanes: { concurrency: 32, globalConcurrency: 5 } } });
    const { jobs } = app;
    await eventually(async () => expect(await jobs.fleet.globalConcurrency('lanes')).toBe(5));
    await jobs.enqueueMany(Array.from({ length: 12 }, () => ({ task: gated })));
    await eventually(() => expect(Lanes.running).toBe(5));
    await letPass();
    expect(Lanes.running).toBe(5);
    await jobs.fleet.setGlobalConcurrency('lanes', 7);
    await eventually(() => expect(Lanes.running).toBe(7));
    await jobs.fleet.setGlobalConcurrency('lanes', undefined);
    await eventually(() => expect(Lanes.running).toBe(12));
    expect(await jobs.fleet.globalConcurrency('lanes')).toBeUndefined();
    expect(await jobs.fleet.globalConcurrency('other')).toBeUndefined();
  });

  it('[M5] a process that drains ends what it runs, begins nothing, and goes on to answer', async () => {
    app = await start(backend);
    const { jobs } = app;
    const id = await idOf(jobs);
    const running = await jobs.enqueue(gated);
    await eventually(() => expect(Lanes.running).toBe(1));
    expect(await jobs.fleet.drain(id)).toMatchObject({ id, draining: true });
    const waiting = await jobs.enqueue(quick, 'later');
    expect(await jobs.fleet.ping()).toMatchObject([{ process: id }]);
    Lanes.gate.reach();
    await running.result();
    await app.app.get(JobsRunner).drain();
    expect(await waiting.status()).toMatchObject({ state: 'pending' });
    expect(await jobs.fleet.processes()).toMatchObject([{ id, draining: true }]);
    await expect(jobs.fleet.resumeProcess(id)).rejects.toThrow(ProcessRefusedError);
  });
});

const sql = backends.filter(({ name }) => name !== 'redis');
if (sql.length > 0) {
  describe.each(sql)('a queue at its global concurrency on $name', (backend) => {
    it('[C4] is not asked for jobs without end by a worker that finds no room', async () => {
      const queues = { lanes: { concurrency: 8, globalConcurrency: 1 } };
      const app = await start(backend, { queues });
      await app.jobs.enqueueMany(Array.from({ length: 3 }, () => ({ task: gated })));
      await eventually(() => expect(Lanes.running).toBe(1));
      const looks = jest.spyOn(WindowedQueueBackend.prototype, 'isMaxed');
      await eventually(() => looks.mock.calls.length >= 2, { timeout: 60_000 });
      const fetches = jest.spyOn(WindowedQueueBackend.prototype, 'moveToActive');
      await eventually(() => looks.mock.calls.length >= 12, { timeout: 60_000 });
      const asked = fetches.mock.contexts as unknown as { queueName: string }[];
      const ofLanes = asked.filter(({ queueName }) => queueName === 'lanes');
      fetches.mockRestore();
      looks.mockRestore();
      expect(ofLanes.length).toBeGreaterThan(0);
      expect(ofLanes.length).toBeLessThanOrEqual(12);
      Lanes.gate.reach();
      await eventually(async () => expect(await app.jobs.fleet.active()).toEqual([]));
      await app.close();
    });
  });
}
