import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  JobsRunner,
  JobsService,
  ProcessRefusedError,
  Task,
  task,
  type FleetProcess,
  type JobsModuleOptions,
} from 'nestjs-jobs';
import { WindowedQueueBackend } from '../../libs/jobs/src/backend/sql/windowed-queue-backend.js';
import { Watchdog } from '../../libs/jobs/src/worker/watchdog.js';
import { WorkerWatch } from '../../libs/jobs/src/worker/worker-watch.js';
import { backends, uniqueNamespace, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Lanes {
  static gate: Signal;
  static running = 0;
  static most = 0;
  static ran: string[] = [];

  static reset(): void {
    Lanes.gate = signal();
    Lanes.running = Lanes.most = 0;
    Lanes.ran = [];
  }

  @Task({ name: 'lanes.gated', queue: 'lanes' })
  async gated(): Promise<void> {
    Lanes.most = Math.max(Lanes.most, ++Lanes.running);
    await Lanes.gate.reached;
    Lanes.running--;
  }

  @Task({ name: 'lanes.quick', queue: 'lanes' })
  async quick(text: string): Promise<string> {
    Lanes.most = Math.max(Lanes.most, ++Lanes.running);
    Lanes.ran.push(text);
    await new Promise((resolve) => setTimeout(resolve, 5));
    Lanes.running--;
    return text;
  }

  @Task({ name: 'lanes.elsewhere', queue: 'other' })
  elsewhere(): void {}
}

const gated = task(Lanes, 'gated');
const quick = task(Lanes, 'quick');
const elsewhere = task(Lanes, 'elsewhere');

function start(backend: TestBackend, options: JobsModuleOptions = {}): Promise<JobsApp> {
  const queues = { lanes: { concurrency: 2 }, other: {}, ...options.queues };
  return startJobsApp({ backend, providers: [Lanes], options: { ...options, queues } });
}

async function idOf(jobs: JobsService): Promise<string> {
  const [process] = await eventually(async () => {
    const processes = await jobs.fleet.processes();
    return processes.length === 1 && processes;
  });
  return process!.id;
}

async function run(jobs: JobsService, texts: string[]): Promise<string[]> {
  const handles = await jobs.enqueueMany(texts.map((text) => ({ task: quick, payload: text })));
  return Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => `n${n}`);

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
    await eventually(() => renewals.mock.calls.length >= 100, { timeout: 60_000 });
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
    const texts = numbers(300);
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

// An embedded store has one process at a time, and `describe.each` refuses an empty table.
const shared = backends.filter(({ name }) => name !== 'embedded');
if (shared.length > 0) {
  describe.each(shared)('control of several processes on $name', (backend) => {
    const apps: JobsApp[] = [];
    afterEach(async () => {
      Lanes.gate.reach();
      await Promise.all(apps.splice(0).map((app) => app.close()));
    });

    async function startTwo(first: JobsModuleOptions, second: JobsModuleOptions): Promise<[JobsApp, JobsApp]> {
      const namespace = uniqueNamespace();
      const one = await start(backend, { namespace, ...first });
      apps.push(one);
      const two = await start(backend, { namespace, ...second });
      apps.push(two);
      return [one, two];
    }

    async function processesOf(jobs: JobsService): Promise<[FleetProcess, FleetProcess]> {
      return eventually(async () => {
        const processes = await jobs.fleet.processes();
        return processes.length === 2 && (processes as [FleetProcess, FleetProcess]);
      });
    }

    it('[M5] one that is paused leaves its share to the other, at once', async () => {
      const [one] = await startTwo({}, {});
      const [first] = await processesOf(one.jobs);
      await one.jobs.fleet.pauseProcess(first.id);
      const texts = numbers(100);
      expect(await run(one.jobs, texts)).toEqual(texts);
      await one.jobs.enqueueMany(Array.from({ length: 4 }, () => ({ task: gated })));
      await eventually(() => expect(Lanes.running).toBe(2));
      const [, second] = await processesOf(one.jobs);
      expect((await one.jobs.fleet.active()).map(({ process }) => process)).toEqual([second.id, second.id]);
      await one.jobs.fleet.resumeProcess(first.id);
      await eventually(() => expect(Lanes.running).toBe(4));
    });

    it('[M5] another concurrency is that of one process, or of all', async () => {
      const [one] = await startTwo({}, {});
      const [first] = await processesOf(one.jobs);
      await one.jobs.enqueueMany(Array.from({ length: 12 }, () => ({ task: gated })));
      await eventually(() => expect(Lanes.running).toBe(4));
      await one.jobs.fleet.setConcurrency('lanes', 4, { process: first.id });
      await eventually(() => expect(Lanes.running).toBe(6));
      expect(await one.jobs.fleet.setConcurrency('lanes', 5)).toHaveLength(2);
      await eventually(() => expect(Lanes.running).toBe(10));
    });

    it('[C4] the global concurrency holds over processes with 8 and with 32 slots, under load', async () => {
      const lanes = { globalConcurrency: 6 };
      const [one] = await startTwo(
        { queues: { lanes: { concurrency: 8, ...lanes } } },
        { queues: { lanes: { concurrency: 32, ...lanes } } },
      );
      const texts = numbers(400);
      expect(await run(one.jobs, texts)).toEqual(texts);
      expect(Lanes.most).toBeLessThanOrEqual(6);
      expect(Lanes.most).toBeGreaterThan(1);
      expect(Lanes.ran).toHaveLength(400);
    });

    it('[C4] what was set at run time stays until the code declares otherwise', async () => {
      const namespace = uniqueNamespace();
      const boot = async (globalConcurrency?: number): Promise<JobsApp> => {
        const lanes = { concurrency: 2, ...(globalConcurrency !== undefined && { globalConcurrency }) };
        const app = await start(backend, { namespace, queues: { lanes } });
        apps.push(app);
        return app;
      };
      const limit = (app: JobsApp): Promise<number | undefined> => app.jobs.fleet.globalConcurrency('lanes');
      const first = await boot(5);
      await eventually(async () => expect(await limit(first)).toBe(5));
      await first.jobs.fleet.setGlobalConcurrency('lanes', 7);
      const again = await boot(5);
      await run(again.jobs, ['one']);
      expect(await limit(again)).toBe(7);
      const other = await boot(6);
      await eventually(async () => expect(await limit(other)).toBe(6));
      const without = await boot();
      await run(without.jobs, ['two']);
      expect(await limit(without)).toBe(6);
    });
  });
}
