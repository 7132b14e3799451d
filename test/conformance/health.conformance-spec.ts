import { jest } from '@jest/globals';
import { Injectable, Module, type DynamicModule, type Type } from '@nestjs/common';
import { InvalidJobsOptionsError, JobsRunner, Priority, type JobsModuleOptions } from 'nestjs-jobs';
import { JobsHealthModule, type JobsHealthOptions } from 'nestjs-jobs/health';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends, postgresUrl, redisUrl } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { fail, run, startHealthApp, type HealthAnswer, type HealthApp } from '../support/health-app.js';
import { freePort } from '../support/services/free-port.mjs';
import { TcpProxy } from '../support/tcp-proxy.js';

const STRICT: JobsHealthOptions = {
  refresh: 50,
  thresholds: {
    '*': { backlog: { degraded: 3 }, deadLetters: { degraded: 2, down: 4 } },
    narrow: { backlog: { degraded: 1, down: 2 } },
    slow: { backlog: {}, oldest: { degraded: 200, down: '1h' } },
  },
};
const QUEUES: JobsModuleOptions = {
  queues: { narrow: {}, slow: {}, idle: {} },
  workers: { except: ['idle'] },
};

describe.each(backends)('health by thresholds on $name', (backend) => {
  let app: HealthApp;
  beforeAll(async () => {
    app = await startHealthApp(backend, JobsHealthModule.forRoot(STRICT), QUEUES);
  });
  afterAll(() => app?.close());
  afterEach(async () => {
    for (const queue of ['default', 'narrow', 'slow', 'idle']) {
      await app.jobs.purge(queue);
      await app.jobs.queue(queue).resume();
    }
    await app.jobs.deadLetters.discardAll({});
    await recovered();
  });

  /** On a busy machine counting takes longer, and is done less often for it. */
  const becomes = (expected: object): Promise<HealthAnswer> =>
    eventually(
      async () => {
        const answer = await app.get();
        expect(answer).toMatchObject(expected);
        return answer;
      },
      { timeout: 40_000 },
    );
  const recovered = (): Promise<HealthAnswer> => becomes({ code: 200, overall: 'ok', status: 'up', problems: [] });
  const add = async (count: number, queue = 'default'): Promise<void> => {
    for (let n = 0; n < count; n++) await app.jobs.enqueue(run, undefined, { queue, priority: Priority.low });
  };

  it('[M3] is up while nothing is too much', async () => {
    const { status, code, overall, text } = await app.get();
    expect([status, code, overall]).toEqual(['up', 200, 'ok']);
    expect(JSON.parse(text).details.jobs).toEqual({
      status: 'up',
      backend: backend.name,
      working: ['default', 'narrow', 'slow', 'jobs-internal'],
      watchdogRestarts: 0,
    });
    expect(await app.codes()).toEqual([200, 200, 200]);
  });

  it('[M3] is degraded by a backlog, says where, since when and what to do, and recovers', async () => {
    await app.jobs.queue('default').pause();
    await add(2);
    const job = (await app.jobs.queue('default').getJobs(['prioritized'], 0, 0, true))[0]!;
    expect((await app.get()).status).toBe('up');
    await add(1);
    const { reasons, problems } = await becomes({ code: 200, overall: 'degraded', status: 'degraded' });
    const since = new Date(job.timestamp).toISOString();
    const message =
      `queue "default": 3 jobs wait (degraded from 3 on), the oldest since ${since}. ` +
      'The queue is paused: resume it, or nothing of it runs.';
    expect(reasons).toEqual([message]);
    expect(problems).toEqual([
      { kind: 'backlog', status: 'degraded', message, queue: 'default', value: 3, threshold: 3, since },
    ]);
    expect(await app.codes()).toEqual([200, 200, 200]);
    await app.jobs.queue('default').resume();
    await recovered();
  });

  it('[M3] is down where a queue of its own thresholds says so, and stays ready and alive', async () => {
    await app.jobs.queue('narrow').pause();
    await add(1, 'narrow');
    await becomes({ status: 'degraded', problems: [{ kind: 'backlog', queue: 'narrow', value: 1, threshold: 1 }] });
    await app.jobs.queue('default').pause();
    await add(3);
    await add(1, 'narrow');
    const { reasons, warnings } = await becomes({ code: 503, overall: 'error', status: 'down' });
    expect(reasons).toEqual([expect.stringContaining('queue "narrow": 2 jobs wait (down from 2 on)')]);
    expect(warnings).toEqual([expect.stringContaining('queue "default": 3 jobs wait (degraded from 3 on)')]);
    expect(await app.codes()).toEqual([503, 200, 200]);
    expect((await app.get('/ready')).problems).toEqual([]);
  });

  it('[M3] is degraded by a job that has waited too long', async () => {
    await app.jobs.queue('slow').pause();
    await add(4, 'slow');
    const { problems } = await becomes({ status: 'degraded', code: 200 });
    expect(problems).toEqual([
      expect.objectContaining({ kind: 'oldest', status: 'degraded', queue: 'slow', threshold: 200 }),
    ]);
    expect(problems[0]!.value).toBeGreaterThanOrEqual(200);
    expect(problems[0]!.message).toMatch(
      /^queue "slow": a job has waited for .* \(degraded from 200ms on\), since \d{4}-/,
    );
    await app.jobs.queue('slow').resume();
    await recovered();
  });

  it('[M3] is degraded by dead letters, down by more of them, and recovers when they are discarded', async () => {
    const failAll = async (count: number): Promise<void> => {
      const jobs = await Promise.all(Array.from({ length: count }, () => app.jobs.enqueue(fail)));
      for (const job of jobs) await expect(job.result()).rejects.toThrow('no use');
    };
    await failAll(1);
    expect((await app.get()).status).toBe('up');
    await failAll(1);
    const { reasons } = await becomes({
      status: 'degraded',
      problems: [{ kind: 'dead-letters', queue: 'default', value: 2, threshold: 2 }],
    });
    expect(reasons).toEqual([
      'queue "default": 2 jobs have failed for good (degraded from 2 on). ' +
        "Look at them with jobs.deadLetters.list({ queue: 'default' }), " +
        'redrive those that are to be done again, and discard them: those that were redriven count too.',
    ]);
    await failAll(2);
    await becomes({ code: 503, status: 'down', problems: [{ kind: 'dead-letters', value: 4, threshold: 4 }] });
    await app.jobs.deadLetters.discardAll({});
    await recovered();
  });

  it('[M3] is degraded by jobs in a queue that no live process works', async () => {
    await add(1, 'idle');
    const { reasons } = await becomes({
      status: 'degraded',
      problems: [{ kind: 'unserved-queue', queue: 'idle', value: 1 }],
    });
    expect(reasons[0]).toMatch(
      /^queue "idle": 1 job waits, the oldest since .*, and no live process works it\. Start one whose 'workers' option includes it\.$/,
    );
    expect(await app.codes()).toEqual([200, 200, 200]);
  });
});

describe.each(backends)('health on $name', (backend) => {
  const apps: HealthApp[] = [];
  const start = async (health?: DynamicModule | Type, options?: JobsModuleOptions): Promise<HealthApp> => {
    const app = await startHealthApp(backend, health, options);
    apps.push(app);
    return app;
  };
  afterEach(async () => void (await Promise.all(apps.splice(0).map((app) => app.close()))));

  it('[M3] [S7] is degraded, then down, by a schedule whose time has passed', async () => {
    const scheduleLag = { degraded: 1_000, down: 2_500 };
    // Without workers, nobody sends what it is for.
    const app = await start(JobsHealthModule.forRoot({ scheduleLag }), { workers: false });
    const { name } = await app.jobs.schedules.create({ name: 'late', task: run, every: '1s' });
    await eventually(async () => {
      const { status, problems, reasons } = await app.get();
      expect([status, problems]).toEqual([
        'degraded',
        [expect.objectContaining({ kind: 'schedule-lag', schedule: name, task: 'errands.run', queue: 'default' })],
      ]);
      expect(problems[0]).toMatchObject({ threshold: 1_000, since: expect.stringMatching(/^\d{4}-.*Z$/) });
      expect(reasons[0]).toMatch(/^schedule "late" has not fired for .*, \S+ ago \(degraded from 1s on\)\. /);
    });
    await eventually(async () => expect(await app.get()).toMatchObject({ code: 503, status: 'down' }));
    expect(await app.codes()).toEqual([503, 200, 200]);
    await app.jobs.schedules.pause(name);
    expect(await app.get()).toMatchObject({ code: 200, status: 'up', problems: [] });
  });

  it('[M3] says nothing of a schedule that is on time, nor of any when it is not to', async () => {
    const app = await start(JobsHealthModule.forRoot({ scheduleLag: {} }), { workers: false });
    const { next } = await app.jobs.schedules.create({ name: 'late', task: run, every: '1s' });
    await eventually(() => Date.now() > Date.parse(next!) + 100);
    expect((await app.get()).problems).toEqual([]);
    const watching = await start(JobsHealthModule.forRoot());
    await watching.jobs.schedules.create({ name: 'on-time', task: run, every: '1h' });
    expect((await watching.get()).problems).toEqual([]);
  });

  it('[M3] [C8] is neither healthy nor ready from the first moment of the shutdown, and still alive', async () => {
    const app = await start(JobsHealthModule.forRoot(STRICT), QUEUES);
    const drained = app.app.get(JobsRunner).drain();
    expect(await app.codes()).toEqual([503, 503, 200]);
    expect(await app.get('/ready')).toMatchObject({ status: 'down', problems: [{ kind: 'draining' }] });
    await drained;
    expect(await app.codes()).toEqual([503, 503, 200]);
  });

  it('[M3] is not alive when a worker has ended by itself', async () => {
    const app = await start();
    const { workers } = app.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    await workers.get('default')!.close();
    expect(await app.codes()).toEqual([503, 503, 503]);
    const message = 'queue default: its worker stopped';
    expect(await app.get('/live')).toMatchObject({
      status: 'down',
      reasons: [message],
      problems: [{ kind: 'not-consuming', status: 'down', queue: 'default', message }],
    });
  });

  it('[M3] looks at this process and its backend only, when it is imported without options', async () => {
    const app = await start(JobsHealthModule, QUEUES);
    await app.jobs.enqueue(run, undefined, { queue: 'idle' });
    expect(await app.get()).toMatchObject({ code: 200, overall: 'ok', status: 'up', problems: [] });
    expect(await app.codes()).toEqual([200, 200, 200]);
  });

  it('[M3] [C9] does not wait for a store that falls silent after it has answered', async () => {
    const app = await start(JobsHealthModule.forRoot(), { connectTimeout: 300 });
    await eventually(async () => expect((await app.get()).status).toBe('up'));
    const silent = jest.spyOn(app.app.get<QueueBackend>(QUEUE_BACKEND).ledger, 'list');
    silent.mockReturnValue(new Promise(() => {}));
    expect(await app.get()).toMatchObject({ code: 503, status: 'down', problems: [{ kind: 'backend' }] });
    silent.mockRestore();
    expect((await app.get()).status).toBe('up');
  });

  it.each([
    ['up', 200, 'ok'],
    ['down', 503, 'error'],
  ] as const)('[M3] tells Terminus %s in the place of degraded where it is to', async (degradedAs, code, overall) => {
    const app = await start(JobsHealthModule.forRoot({ ...STRICT, degradedAs }), QUEUES);
    await app.jobs.enqueue(run, undefined, { queue: 'idle' });
    const texts = await eventually(async () => {
      const { reasons, warnings, ...answer } = await app.get();
      expect(answer).toMatchObject({ code, overall, status: degradedAs, problems: [{ kind: 'unserved-queue' }] });
      return degradedAs === 'up' ? warnings : reasons;
    });
    expect(texts).toEqual([expect.stringContaining('no live process works it')]);
  });

  it('[M3] takes options that are asked of a class, and does not boot with bad ones', async () => {
    @Injectable()
    class Settings {
      createJobsHealthOptions(): JobsHealthOptions {
        return { thresholds: { nowhere: { backlog: { degraded: 1 } } } };
      }
    }
    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}
    const health = JobsHealthModule.forRootAsync({ imports: [SettingsModule], useExisting: Settings });
    await expect(start(health)).rejects.toThrow(InvalidJobsOptionsError);
    const app = await start(JobsHealthModule.forRootAsync({ useFactory: () => STRICT }), QUEUES);
    expect((await app.get()).status).toBe('up');
  });
});

// What is inside the process cannot be away, and `describe.each` refuses an empty table.
const serverBackends = backends.filter(({ name }) => name !== 'embedded');
if (serverBackends.length > 0) {
  describe.each(serverBackends)('health while $name is away', (backend) => {
    const serverUrl = (): URL => new URL(backend.name === 'redis' ? redisUrl() : postgresUrl());

    it('[M3] [C9] is down and not ready, still alive, and comes back', async () => {
      const url = serverUrl();
      const proxy = await TcpProxy.to(Number(url.port));
      url.hostname = '127.0.0.1';
      url.port = String(proxy.port);
      const options = { connection: url.href, connectTimeout: 500 };
      const app = await startHealthApp(backend, JobsHealthModule.forRoot({ refresh: 50 }), options);
      expect(await app.codes()).toEqual([200, 200, 200]);
      proxy.refuse();
      await eventually(async () => expect(await app.codes()).toEqual([503, 503, 200]));
      const { reasons, problems } = await app.get();
      expect(problems).toEqual([{ kind: 'backend', status: 'down', message: reasons[0] }]);
      proxy.lift();
      await eventually(async () => expect(await app.codes()).toEqual([200, 200, 200]), { timeout: 30_000 });
      await app.close();
      await proxy.close();
    });

    it('[M3] tells no password and no stack', async () => {
      const scheme = backend.name === 'redis' ? 'redis' : 'postgres';
      const connection = `${scheme}://someone:geheim@127.0.0.1:${await freePort()}/0`;
      const app = await startHealthApp(backend, JobsHealthModule.forRoot(), { connection, connectTimeout: 300 });
      const answer = await app.get();
      expect(answer).toMatchObject({ code: 503, status: 'down', problems: [{ kind: 'backend' }] });
      expect(answer.text).not.toMatch(/geheim|\.(js|ts):\d+|\bat .*\(/);
      await app.close();
    });
  });
}
