import { Injectable } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { JobsRunner, Task, task, type JobHandle, type JobsModuleOptions } from 'nestjs-jobs';
import { JobsHealthModule } from 'nestjs-jobs/health';
import pg from 'pg';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import { backends, uniqueNamespace, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { HealthController } from '../support/health.controller.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { childrenToo } from '../support/postmaster.js';
import { startPostgres } from '../support/services/postgres.mjs';
import { startRedis } from '../support/services/redis.mjs';
import { signal } from '../support/signals.js';
import { isFull, itIf, runsOn } from '../support/test-form.js';
import { TcpProxy } from '../support/tcp-proxy.js';

@Injectable()
class Frozen {
  static runs: string[] = [];
  static gate = { entered: signal(), open: signal() };

  @Task({ name: 'frozen.echo' })
  echo(text: string): string {
    Frozen.runs.push(text);
    return text;
  }

  @Task({ name: 'frozen.gated' })
  async gated(): Promise<string> {
    Frozen.runs.push('gated');
    Frozen.gate.entered.reach();
    await Frozen.gate.open.reached;
    return 'gated';
  }
}

interface Server {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  stop(): Promise<unknown>;
}

interface Kind {
  readonly kind: string;
  /** Left to the long form. */
  readonly isLong?: boolean;
  readonly name: TestBackend['name'];
  readonly start: () => Promise<Server>;
  /** Of the app whose connections freeze. */
  readonly connection: (url: string) => { connection: JobsModuleOptions['connection']; end?: () => Promise<void> };
}

const all: Kind[] = [
  {
    kind: 'redis',
    name: 'redis' as const,
    start: () => startRedis(),
    connection: (url: string) => ({ connection: url }),
  },
  {
    kind: 'postgres',
    name: 'postgres' as const,
    start: () => startPostgres(),
    connection: (url: string) => ({ connection: url }),
  },
  {
    kind: "postgres through the app's own pool",
    isLong: true,
    name: 'postgres' as const,
    start: () => startPostgres(),
    connection: (url: string) => {
      const pool = new pg.Pool({ connectionString: url });
      pool.on('error', () => undefined);
      return { connection: { postgres: pool }, end: () => pool.end() };
    },
  },
];
const kinds = all.filter(
  ({ name, isLong }) => (isFull || !isLong) && backends.some((backend) => backend.name === name),
);

// `describe.each` refuses an empty table: embedded has no connection that could freeze.
if (kinds.length > 0) {
  describe.each(kinds)('$kind, frozen', (kind) => {
    const { name, start, connection } = kind;
    let server: Server;
    let log: MemoryLogger;

    beforeAll(async () => {
      server = await start();
    });
    beforeEach(() => {
      Object.assign(Frozen, { runs: [], gate: { entered: signal(), open: signal() } });
      log = new MemoryLogger();
    });
    afterAll(async () => void (await server.stop()));

    async function proxied(): Promise<{ proxy: TcpProxy; url: string }> {
      const proxy = await TcpProxy.to(server.port);
      return { proxy, url: server.url.replace(`:${server.port}`, `:${proxy.port}`) };
    }

    /** An app that works, and one that only enqueues, on a connection of its own. */
    async function startBoth(
      url: string,
      { lease = '6s', concurrency = 10 } = {},
    ): Promise<{ worker: JobsApp; producer: JobsApp; health: () => Promise<Health>; close: () => Promise<void> }> {
      const namespace = uniqueNamespace();
      const own = connection(url);
      const queues = { default: { concurrency } };
      const worker = await startJobsApp({
        backend: { name, connection: () => own.connection },
        providers: [Frozen],
        controllers: [HealthController],
        imports: [TerminusModule.forRoot({ logger: false }), JobsHealthModule],
        logger: log,
        options: { connectTimeout: '500ms', lease, namespace, queues },
      });
      await worker.app.listen(0);
      const api = await worker.app.getUrl();
      const producer = await startJobsApp({
        backend: { name, connection: () => server.url },
        providers: [Frozen],
        // Nest has one logger, that of the last app.
        logger: log,
        options: { namespace, queues, workers: false },
      });
      const health = async (): Promise<Health> => {
        const response = await fetch(`${api}/health`);
        const { details } = (await response.json()) as { details: { jobs: { watchdogRestarts: number } } };
        return { status: response.status, watchdogRestarts: details.jobs.watchdogRestarts };
      };
      const close = async (): Promise<void> => {
        await producer.close();
        await worker.close();
        await own.end?.();
      };
      return { worker, producer, health, close };
    }

    it('[C9] connections that swallow bytes: rebuilt, health 503 meanwhile, and what runs keeps its one attempt', async () => {
      const { proxy, url } = await proxied();
      // Twelve seconds, of which six may be over when the claims cannot be renewed for the first time.
      const { producer, health, close } = await startBoth(url, { lease: '12s' });
      const enqueue = (text: string): Promise<JobHandle<string>> => producer.jobs.enqueue(task(Frozen, 'echo'), text);
      const running = await producer.jobs.enqueue(task(Frozen, 'gated'));
      await Frozen.gate.entered.reached;
      await (await enqueue('before')).result();
      expect(await health()).toMatchObject({ status: 200, watchdogRestarts: 0 });

      proxy.strand();
      const waiting = await Promise.all(['a', 'b', 'c'].map(enqueue));
      await eventually(async () => expect((await health()).status).toBe(503), { timeout: 30_000 });
      expect(await Promise.all(waiting.map((job) => job.result({ timeout: '1m' })))).toEqual(['a', 'b', 'c']);
      await eventually(async () => expect((await health()).status).toBe(200), { timeout: 30_000 });
      const isRebuilt = /Watchdog, queue "default": .* that were closed to be made anew: [1-9]/.test(log.text());
      // On Postgres the connection that listens notices by itself, and may be so early that the worker goes on at once.
      expect({ isRebuilt }).toEqual({ isRebuilt: isRebuilt || name === 'redis' });
      expect((await health()).watchdogRestarts > 0).toBe(isRebuilt);

      Frozen.gate.open.reach();
      expect(await running.result()).toBe('gated');
      expect(await running.status()).toMatchObject({ attempt: 1, attempts: [{ attempt: 1 }] });
      expect([...Frozen.runs].sort()).toEqual(['a', 'b', 'before', 'c', 'gated']);
      expect(log.text()).not.toContain('left behind');
      await close();
      await proxy.close();
    });

    itIf(
      runsOn(kind, kinds, 0),
      '[C9] connections that swallow bytes while all slots are busy: the claims are renewed over new ones',
      async () => {
        const { proxy, url } = await proxied();
        const { worker, producer, health, close } = await startBoth(url, { lease: '12s', concurrency: 1 });
        const running = await producer.jobs.enqueue(task(Frozen, 'gated'));
        await Frozen.gate.entered.reached;

        proxy.strand();
        const strandedAt = Date.now();
        await eventually(() => renewalAskedAt(worker) > strandedAt, { timeout: 60_000 });
        // A pool may have made a new connection for it anyway. The log has it when all connections were looked at.
        const isRebuilt = (): boolean => /Watchdog, .* made anew: [1-9]/.test(log.text());
        if (name === 'redis') await eventually(isRebuilt, { timeout: 30_000 });
        await eventually(async () => expect((await health()).status).toBe(200), { timeout: 30_000 });

        Frozen.gate.open.reach();
        expect(await running.result({ timeout: '1m' })).toBe('gated');
        expect(await running.status()).toMatchObject({ attempt: 1, attempts: [{ attempt: 1 }] });
        expect(Frozen.runs).toEqual(['gated']);
        await close();
        await proxy.close();
      },
    );

    itIf(
      runsOn(kind, kinds, 1),
      '[C9] connections that swallow bytes as the last job ends: its end is told over new ones before its claim ends',
      async () => {
        const { proxy, url } = await proxied();
        const { worker, producer, close } = await startBoth(url, { lease: '12s', concurrency: 1 });
        const running = await producer.jobs.enqueue(task(Frozen, 'gated'));
        await Frozen.gate.entered.reached;
        // So that the claim is young.
        const begunAt = Date.now();
        await eventually(() => renewalAskedAt(worker) > begunAt, { timeout: 60_000 });

        proxy.strand();
        Frozen.gate.open.reach();
        expect(await running.result({ timeout: '1m' })).toBe('gated');
        expect(Frozen.runs).toEqual(['gated']);
        await eventually(() => /could not be told for .* made anew: [1-9]/.test(log.text()));
        await eventually(() => log.text().includes('its worker is answered again'), { timeout: 30_000 });
        await close();
        await proxy.close();
      },
    );

    if (name === 'redis') {
      it('[C9] a connection that was never answered before its worker needs it: rebuilt before the claim ends', async () => {
        const { proxy, url } = await proxied();
        const stranded = strandWorkersOwn(proxy);
        const options = { namespace: uniqueNamespace(), connectTimeout: '500ms', lease: '12s' };
        const settings = { providers: [Frozen], logger: log };
        const own = { name, connection: () => server.url };
        const producer = await startJobsApp({ ...settings, backend: own, options: { ...options, workers: false } });
        const job = await producer.jobs.enqueue(task(Frozen, 'gated'));
        const worker = await startJobsApp({ ...settings, backend: { name, connection: () => url }, options });
        await Promise.all([Frozen.gate.entered.reached, stranded]);
        Frozen.gate.open.reach();
        expect(await job.result({ timeout: '1m' })).toBe('gated');
        expect(Frozen.runs).toEqual(['gated']);
        expect(log.text()).toMatch(/its worker cannot end jobs.* made anew: [1-9]/);
        await eventually(() => log.text().includes('its worker is answered again'));
        await producer.close();
        await worker.close();
        await proxy.close();
      });
    }

    itIf(
      runsOn(kind, kinds, 2),
      '[C9] connections that swallow bytes, also new ones for a while: all is well once new ones work',
      async () => {
        const { proxy, url } = await proxied();
        const { producer, health, close } = await startBoth(url);
        await (await producer.jobs.enqueue(task(Frozen, 'echo'), 'before')).result();

        proxy.freeze();
        const waiting = await producer.jobs.enqueue(task(Frozen, 'echo'), 'waits');
        await eventually(() => log.text().includes('Watchdog'), { timeout: 60_000 });
        expect((await health()).status).toBe(503);
        proxy.passNewOnes();
        expect(await waiting.result({ timeout: '1m' })).toBe('waits');
        await eventually(async () => expect((await health()).status).toBe(200), { timeout: 60_000 });
        await close();
        await proxy.close();
      },
    );

    itIf(
      runsOn(kind, kinds, 3),
      '[C9] a server that is stopped: 503 while it is, and work goes on when it goes on',
      async () => {
        const { worker, producer, health, close } = await startBoth(server.url);
        const running = await producer.jobs.enqueue(task(Frozen, 'gated'));
        await Frozen.gate.entered.reached;
        expect((await health()).status).toBe(200);
        const pids = name === 'redis' ? [server.pid] : childrenToo(server.pid);
        for (const pid of pids) process.kill(pid, 'SIGSTOP');
        await eventually(() => log.text().includes('Watchdog'), { timeout: 60_000 });
        expect((await health()).status).toBe(503);
        for (const pid of pids.toReversed()) process.kill(pid, 'SIGCONT');
        const job = await eventually(() => producer.jobs.enqueue(task(Frozen, 'echo'), 'after'), { timeout: 60_000 });
        expect(await job.result({ timeout: '1m' })).toBe('after');
        await eventually(async () => expect((await health()).status).toBe(200), { timeout: 60_000 });
        Frozen.gate.open.reach();
        expect(await running.result({ timeout: '1m' })).toBe('gated');
        await eventually(() => worker.jobs.enqueue(task(Frozen, 'echo'), 'own'));
        await close();
      },
    );
  });
}

interface Health {
  status: number;
  watchdogRestarts: number;
}

/** Resolves when BullMQ has asked on a worker's own connection, the one with a name, what Redis it is: the second INFO there. */
function strandWorkersOwn(proxy: TcpProxy): Promise<void> {
  const asked = new Map<object, number>();
  const done = signal();
  proxy.strandWhen = (data, connection) => {
    const before = data.includes('setname') ? 0 : asked.get(connection);
    if (before === undefined) return false;
    const count = before + (/\binfo\r\n/i.test(data) ? 1 : 0);
    asked.set(connection, count);
    if (count < 2) return false;
    proxy.strandWhen = undefined;
    done.reach();
    return true;
  };
  return done.reached;
}

/** When the claims were asked for that were renewed last. */
function renewalAskedAt({ app }: JobsApp): number {
  const { workers } = app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
  return workers.get('default')!.renewalAskedAt;
}
