import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import {
  InvalidArgumentError,
  InvalidJobsOptionsError,
  JobsService,
  ProcessNotAnsweringError,
  ProcessNotFoundError,
  ProcessRefusedError,
  Task,
  task,
  type FleetProcess,
  type JobsModuleOptions,
} from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { QUESTIONS } from '../../libs/jobs/src/fleet/fleet-channel.js';
import { LIBRARY_VERSION } from '../../libs/jobs/src/library-version.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Works {
  static entered: Signal;
  static open: Signal;

  @Task({ name: 'works.holds', queue: 'slow' })
  async holds(): Promise<void> {
    Works.entered.reach();
    await Works.open.reached;
  }

  @Task({ name: 'works.quick' })
  quick(): void {}

  @Task({ name: 'works.fails', retry: { attempts: 2, delay: '9m', jitter: 'none' } })
  fails(): never {
    throw new Error('not yet');
  }
}

const holds = task(Works, 'holds');
const quick = task(Works, 'quick');
const fails = task(Works, 'fails');
const QUEUES = { slow: { concurrency: 3 } };

/** Of a version that told of itself with less. */
const OLD = 'a7e1c1f0-0000-4000-8000-000000000001';

async function known(jobs: JobsService, count: number): Promise<FleetProcess[]> {
  return eventually(async () => {
    const processes = await jobs.fleet.processes();
    expect(processes).toHaveLength(count);
    return processes;
  });
}

describe.each(backends)('the fleet on $name', (backend) => {
  let app: JobsApp;

  beforeEach(async () => {
    Works.entered = signal();
    Works.open = signal();
    app = await startJobsApp({ backend, providers: [Works], options: { queues: QUEUES } });
  });
  afterEach(async () => {
    Works.open.reach();
    await app.close();
  });

  const store = (): QueueBackend => app.app.get<QueueBackend>(QUEUE_BACKEND);
  const writeOld = (): Promise<void> =>
    store().ledger.put(
      'processes',
      OLD,
      { queues: ['default'], tasks: ['old.task'], host: 'elsewhere', pid: 7 },
      60_000,
    );

  it('[M4] a process tells which it is, what it works and how it is', async () => {
    const before = Date.now();
    await app.jobs.enqueue(holds);
    await Works.entered.reached;
    const [{ id }] = (await known(app.jobs, 1)) as [FleetProcess];
    const self = await app.jobs.fleet.setConcurrency('slow', 2, { process: id });
    expect(self).toEqual([
      {
        id,
        host: hostname(),
        pid: process.pid,
        version: LIBRARY_VERSION,
        node: process.version,
        startedAt: expect.any(String) as string,
        seenAt: expect.any(String) as string,
        queues: [
          { queue: 'default', concurrency: 10, active: 0, paused: false },
          { queue: 'slow', concurrency: 2, active: 1, paused: false },
        ],
        tasks: expect.arrayContaining(['works.holds', 'works.quick', 'works.fails']) as string[],
        memory: expect.any(Number) as number,
        eventLoopLag: expect.any(Number) as number,
        draining: false,
      },
    ]);
    const [{ startedAt, seenAt, memory, eventLoopLag }] = self as [FleetProcess];
    expect(Date.parse(seenAt)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(startedAt)).toBeLessThanOrEqual(Date.parse(seenAt));
    expect(memory).toBeGreaterThan(2 ** 20);
    expect(eventLoopLag).toBeGreaterThanOrEqual(0);
  });

  it('[M4] a ping lists those that answer, and not one that does not', async () => {
    const [{ id }] = (await known(app.jobs, 1)) as [FleetProcess];
    const self = { process: id, host: hostname(), pid: process.pid, took: expect.any(Number) as number };
    expect(await app.jobs.fleet.ping()).toEqual([self]);
    await writeOld();
    expect(await app.jobs.fleet.ping({ timeout: '500ms' })).toEqual([self]);
    await expect(app.jobs.fleet.ping({ timeout: 'soon' })).rejects.toThrow(InvalidArgumentError);
  });

  it('[M4] what runs is told with the process that runs it', async () => {
    const [{ id: process }] = (await known(app.jobs, 1)) as [FleetProcess];
    expect(await app.jobs.fleet.active()).toEqual([]);
    const first = await app.jobs.enqueue(holds);
    await eventually(async () => expect(await app.jobs.fleet.active()).toHaveLength(1));
    const second = await app.jobs.enqueue(holds);
    await eventually(async () => expect(await app.jobs.fleet.active()).toHaveLength(2));
    const told = { task: 'works.holds', queue: 'slow', attempt: 1, process, startedAt: expect.any(String) as string };
    expect(await app.jobs.fleet.active({ queue: 'slow' })).toEqual([
      { id: first.id, ...told },
      { id: second.id, ...told },
    ]);
    expect(await app.jobs.fleet.active({ limit: 1 })).toMatchObject([{ id: first.id }]);
    expect(await app.jobs.fleet.active({ queue: 'default' })).toEqual([]);
  });

  it('[M4] what is scheduled or waits for its next attempt is told, what is due first before others', async () => {
    const late = await app.jobs.enqueue(quick, undefined, { delay: '3h' });
    const early = await app.jobs.enqueue(holds, undefined, { delay: '2h' });
    const failed = await app.jobs.enqueue(fails);
    await eventually(async () => expect((await failed.status()).state).toBe('retrying'));
    const told = await app.jobs.fleet.scheduled();
    expect(told).toEqual([
      { id: failed.id, task: 'works.fails', queue: 'default', state: 'retrying', dueAt: expect.any(String) as string },
      { id: early.id, task: 'works.holds', queue: 'slow', state: 'scheduled', dueAt: expect.any(String) as string },
      { id: late.id, task: 'works.quick', queue: 'default', state: 'scheduled', dueAt: expect.any(String) as string },
    ]);
    expect(told[1]!.dueAt).toBe((await early.status()).scheduledFor);
    expect(await app.jobs.fleet.scheduled({ queue: 'slow' })).toEqual([told[1]]);
    expect(await app.jobs.fleet.scheduled({ limit: 1 })).toEqual([told[0]]);
  });

  it('[M4] tasks are told with the processes that have them, and slots are summed up', async () => {
    const [{ id }] = (await known(app.jobs, 1)) as [FleetProcess];
    await writeOld();
    const registered = await app.jobs.fleet.registered();
    expect(registered).toContainEqual({ task: 'works.holds', processes: [id] });
    expect(registered).toContainEqual({ task: 'old.task', processes: [OLD] });
    const { queues, ...stats } = await app.jobs.fleet.stats();
    expect(stats).toEqual({ processes: 2, workers: 2, slots: { default: 10, slow: 3 } });
    expect(queues.map(({ queue }) => queue)).toEqual(['default', 'slow']);
  });

  it('[M4] what a process of an older version tells of itself is read', async () => {
    await known(app.jobs, 1);
    await writeOld();
    expect((await known(app.jobs, 2)).find(({ id }) => id === OLD)).toEqual({
      id: OLD,
      host: 'elsewhere',
      pid: 7,
      version: '',
      node: '',
      startedAt: '',
      seenAt: '',
      queues: [{ queue: 'default', concurrency: 0, active: 0, paused: false }],
      tasks: ['old.task'],
      memory: 0,
      eventLoopLag: 0,
      draining: false,
    });
  });

  it('[M5] a process is meant by its id, the beginning of it, or host:pid; who is not there or silent is told so', async () => {
    const [{ id }] = (await known(app.jobs, 1)) as [FleetProcess];
    const { fleet } = app.jobs;
    for (const name of [id, id.slice(0, 8), `${hostname()}:${process.pid}`]) {
      expect((await fleet.pauseProcess(name)).id).toBe(id);
    }
    await expect(fleet.resumeProcess('nobody')).rejects.toThrow(ProcessNotFoundError);
    await expect(fleet.resumeProcess('')).rejects.toThrow(InvalidArgumentError);
    await expect(fleet.pauseProcess(id, { queue: 'other' })).rejects.toThrow(ProcessRefusedError);
    await writeOld();
    await store().ledger.put('processes', OLD.replace(/1$/, '2'), { queues: [], host: 'elsewhere', pid: 7 }, 60_000);
    await expect(fleet.drain('elsewhere:7')).rejects.toThrow(InvalidArgumentError);
    await expect(fleet.drain(OLD, { timeout: '200ms' })).rejects.toThrow(ProcessNotAnsweringError);
    await expect(fleet.setConcurrency('default', 5, { timeout: '200ms' })).rejects.toMatchObject({ processes: [OLD] });
  });

  it('[M5] what is no queue, no number and no question is refused or ignored', async () => {
    const [{ id }] = (await known(app.jobs, 1)) as [FleetProcess];
    const { fleet } = app.jobs;
    await expect(fleet.pauseQueue('undeclared')).rejects.toThrow(InvalidJobsOptionsError);
    await expect(fleet.resumeQueue('jobs-internal')).rejects.toThrow(InvalidJobsOptionsError);
    await expect(fleet.active({ queue: 'undeclared' })).rejects.toThrow(InvalidJobsOptionsError);
    await expect(fleet.scheduled({ limit: 0 })).rejects.toThrow(InvalidArgumentError);
    for (const concurrency of [0, 1.5, -1, Number.NaN, '3' as unknown as number]) {
      await expect(fleet.setConcurrency('default', concurrency)).rejects.toThrow(InvalidArgumentError);
      await expect(fleet.setGlobalConcurrency('default', concurrency)).rejects.toThrow(InvalidArgumentError);
    }
    const question = { id: OLD, asker: OLD, to: [id] };
    const junk: unknown[] = [
      'drain',
      null,
      { ...question, order: 'drain' },
      { ...question, order: { what: 'explode' } },
      { ...question, order: { what: 'concurrency', queue: 'default', concurrency: 0 } },
      { ...question, to: 'everybody', order: { what: 'drain' } },
      { ...question, asker: 7, order: { what: 'drain' } },
    ];
    for (const message of junk) await store().messages.publish(QUESTIONS, message);
    expect(await fleet.ping()).toMatchObject([{ process: id }]);
    expect(await fleet.resumeProcess(id)).toMatchObject({
      draining: false,
      queues: [{ concurrency: 10 }, { concurrency: 3 }],
    });
  });
});

// An embedded store has one process at a time, and `describe.each` refuses an empty table.
const shared = backends.filter(({ name }) => name !== 'embedded');
if (shared.length > 0) {
  describe.each(shared)('a fleet of several processes on $name', (backend) => {
    it('[M4] all are told, also those that only enqueue; one that closes is gone', async () => {
      const namespace = uniqueNamespace();
      const start = (options: JobsModuleOptions): Promise<JobsApp> =>
        startJobsApp({ backend, providers: [Works], options: { namespace, queues: QUEUES, ...options } });
      const producer = await start({ workers: false });
      const worker = await start({});
      const [first, second] = (await known(producer.jobs, 2)) as [FleetProcess, FleetProcess];
      expect(first.queues).toEqual([]);
      expect(second.queues.map(({ queue }) => queue)).toEqual(['default', 'slow']);
      const pongs = await producer.jobs.fleet.ping();
      expect(new Set(pongs.map((pong) => pong.process))).toEqual(new Set([first.id, second.id]));
      expect(await producer.jobs.fleet.stats()).toMatchObject({ processes: 2, workers: 1, slots: { slow: 3 } });
      await worker.close();
      expect(await producer.jobs.fleet.processes()).toMatchObject([{ id: first.id }]);
      await producer.close();
    });
  });
}
