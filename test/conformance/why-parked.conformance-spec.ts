import { BackendUnavailableError, type JobExplanation, type JobHandle } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends, postgresUrl, redisUrl, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';
import { echo, hold, limited, locked, once, pair, Stuck } from '../support/stuck.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const MINUTE = 60_000;
const QUEUES = { default: { concurrency: 20 }, slow: { rateLimit: { limit: '1/h', burst: 1 } }, engine: {} };

const start = (backend: TestBackend, options: object = {}): Promise<JobsApp> =>
  startJobsApp({ backend, providers: [Stuck], options: { queues: QUEUES, ...options } });

describe.each(backends)('why a job that has stepped aside does not run, on $name', (backend) => {
  let running: JobsApp;
  let jobs: JobsApp['jobs'];
  beforeAll(async () => {
    running = await start(backend);
    ({ jobs } = running);
    await eventually(async () => (await jobs.fleet.processes()).length === 1);
  });
  afterEach(() => Stuck.openAll());
  afterAll(() => running?.close());

  const why = ({ id }: { id: string }): Promise<JobExplanation> => jobs.fleet.why(id);

  const parked = (job: JobHandle<unknown>): Promise<string> =>
    eventually(async () => (await job.status()).waitingFor?.until ?? null);

  async function holding(key: string, name: string): Promise<JobHandle<string>> {
    const { entered } = Stuck.gate(name);
    const job = await jobs.enqueue(locked, { key, name });
    await entered;
    return job;
  }

  async function inLine(key: string, name: string): Promise<{ job: JobHandle<string>; until: string }> {
    const job = await jobs.enqueue(locked, { key, name });
    return { job, until: await parked(job) };
  }

  it('[M4] `locked`: which job holds the lock, until when, and how many stand before it', async () => {
    const holder = await holding('safe', 'holder');
    const [first, second] = [await inLine('safe', 'first'), await inLine('safe', 'second')];
    const lock = { kind: 'locked', key: 'safe', held: 1, places: 1 };
    const { state, reason, also, message } = await why(second.job);
    expect({ state, reason, also }).toEqual({
      state: 'pending',
      reason: {
        ...lock,
        holders: [{ id: holder.id, kind: 'job', expiresAt: expect.any(String) }],
        ahead: 1,
        until: second.until,
      },
      also: [],
    });
    const { expiresAt } = (reason as Extract<typeof reason, { kind: 'locked' }>).holders[0]!;
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    expect(Date.parse(expiresAt)).toBeLessThan(Date.now() + MINUTE);
    expect(message).toContain(`The lock "safe" is held by job ${holder.id} (until ${expiresAt} at the latest`);
    expect(message).toContain(`1 waiter stands before it in line`);
    expect((await why(first.job)).reason).toMatchObject({ ...lock, ahead: 0, until: first.until });
    Stuck.openAll();
    await Promise.all([first.job.result(), second.job.result()]);
  });

  it('[M4] `locked`: code holds the lock', async () => {
    const [entered, open] = [signal(), signal()];
    const work = jobs.locks.withLock('by code', { ttl: '20s' }, async () => {
      entered.reach();
      await open.reached;
    });
    await entered.reached;
    const { job } = await inLine('by code', 'waits');
    const { reason, message } = await why(job);
    expect(reason).toMatchObject({
      kind: 'locked',
      key: 'by code',
      holders: [{ id: expect.stringMatching(/^code-/), kind: 'code' }],
      ahead: 0,
    });
    expect(message).toContain('is held by code code-');
    open.reach();
    await work;
    await job.result();
  });

  it('[M4] `locked`: as many hold it as may', async () => {
    const holders: JobHandle<string>[] = [];
    for (const name of ['one of two', 'two of two']) {
      const { entered } = Stuck.gate(name);
      holders.push(await jobs.enqueue(pair, { key: 'pair', name }));
      await entered;
    }
    const job = await jobs.enqueue(pair, { key: 'pair', name: 'third' });
    await parked(job);
    const { reason } = await why(job);
    expect(reason).toMatchObject({ kind: 'locked', held: 2, places: 2, ahead: 0 });
    const ids = (reason as Extract<typeof reason, { kind: 'locked' }>).holders.map(({ id }) => id);
    expect(ids.toSorted()).toEqual(holders.map(({ id }) => id).toSorted());
    Stuck.openAll();
    await job.result();
  });

  it('[M4] `locked`: whoever had the lock has died, and the job has not looked again yet', async () => {
    const { lines } = running.app.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
    const line = { name: 'lock:orphan', places: 1, patience: MINUTE };
    const dead = await lines.take(line, 'dead', { ttl: MINUTE, stand: false });
    const { job, until } = await inLine('orphan', 'waits');
    // As when the store has lost it: nobody is called.
    await lines.renew(line, 'dead', (dead as { fencingToken: number }).fencingToken, 1);
    await eventually(async () => {
      expect((await why(job)).reason).toMatchObject({
        kind: 'locked',
        key: 'orphan',
        holders: [],
        held: 0,
        ahead: 0,
        until,
      });
    });
    expect((await why(job)).message).toContain('which is free');
    await job.cancel();
  });

  it('[M4] `locked`: the job of a schedule before it has not ended', async () => {
    const { entered } = Stuck.gate('slow run');
    const timing = { every: '1h', startAt: new Date(Date.now() + 60 * MINUTE) } as const;
    await jobs.schedules.create({ name: 'queued', task: hold, payload: 'slow run', overlap: 'queue', ...timing });
    const run = await jobs.schedules.trigger('queued');
    await entered;
    const next = await jobs.schedules.trigger('queued');
    await parked(next);
    expect((await why(next)).reason).toMatchObject({
      kind: 'locked',
      key: 'schedule queued',
      holders: [{ id: run.id, kind: 'job' }],
      ahead: 0,
    });
    Stuck.openAll();
    await next.result();
  });

  it('[M4] `locked`: in a queue that is paused it is told second', async () => {
    await holding('paused', 'keeps it');
    const { job } = await inLine('paused', 'waits');
    await jobs.fleet.pauseQueue('default');
    const { reason, also } = await why(job);
    expect([reason, ...also]).toMatchObject([{ kind: 'paused-queue' }, { kind: 'locked', key: 'paused' }]);
    await jobs.fleet.resumeQueue('default');
    Stuck.openAll();
    await job.result();
  });

  it('[M4] `same-key`: a job with its key of @Idempotent runs', async () => {
    const { entered } = Stuck.gate('original');
    const original = await jobs.enqueue(once, { key: 'order', name: 'original' });
    await entered;
    const copies = [await jobs.enqueue(once, { key: 'order', name: 'original' })];
    await parked(copies[0]!);
    copies.push(await jobs.enqueue(once, { key: 'order', name: 'original' }));
    for (const [ahead, copy] of copies.entries()) {
      const until = await parked(copy);
      expect(await why(copy)).toMatchObject({
        state: 'pending',
        reason: { kind: 'same-key', key: 'order', holder: original.id, ahead, until },
        also: [],
        message: expect.stringContaining(`Job ${original.id}, which has the same key, runs`),
      });
    }
    Stuck.openAll();
    for (const copy of copies) expect(await copy.result()).toBe('original');
  });

  async function limitedJob(tenant: string): Promise<JobHandle<unknown>> {
    await (await jobs.enqueue(limited, { tenant })).result();
    const job = await jobs.enqueue(limited, { tenant });
    await parked(job);
    return job;
  }

  it('[M4] `limited`: which limit, for which key, and the time that it has reserved', async () => {
    const job = await limitedJob('acme');
    const { state, reason, also, message } = await why(job);
    const until = await parked(job);
    expect({ state, reason, also }).toEqual({
      state: 'pending',
      reason: { kind: 'limited', limit: 'stuck', key: 'acme', until: expect.any(String), rate: '1/h' },
      also: [],
    });
    // One is the store's time, the other what this process makes of it.
    const told = (reason as Extract<typeof reason, { kind: 'limited' }>).until!;
    expect(Math.abs(Date.parse(told) - Date.parse(until))).toBeLessThan(MINUTE);
    expect(message).toContain(`The limit "stuck" for the key "acme" (1/h) lets it begin at ${told}.`);
  });

  it('[M4] `limited`: a limit that was paused or changed at run time', async () => {
    const job = await limitedJob('paused');
    await jobs.limits.pause('stuck', '5h', { key: 'paused' });
    const { reason } = await why(job);
    const { until, pausedUntil } = reason as Extract<typeof reason, { kind: 'limited' }>;
    expect(reason).toMatchObject({ kind: 'limited', limit: 'stuck', key: 'paused', rate: '1/h' });
    expect(until).toBe(pausedUntil);
    expect(Date.parse(until!)).toBeGreaterThan(Date.now() + 240 * MINUTE);
    await jobs.limits.set('stuck', '7/m');
    expect(await why(job)).toMatchObject({
      reason: { rate: '7/m', isChanged: true, pausedUntil },
      message: expect.stringContaining(
        `(7/m, changed at run time) lets it begin at ${until}. It is paused until ${until}.`,
      ),
    });
    await jobs.limits.reset('stuck');
    await jobs.limits.reduceAll(0.5);
    expect((await why(job)).reason).toMatchObject({ rate: '1/h * 0.5', isChanged: true });
    await jobs.limits.restore();
  });

  it('[M4] `limited`: the limit of its queue', async () => {
    await (await jobs.enqueue(echo, 'one', { queue: 'slow' })).result();
    const job = await jobs.enqueue(echo, 'two', { queue: 'slow' });
    await parked(job);
    const { reason } = await why(job);
    expect(reason).toEqual({ kind: 'limited', limit: 'queue:slow', until: expect.any(String), rate: '1/h' });
  });

  it("[M4] `limited`: BullMQ's own limit of its queue", async () => {
    const queue = jobs.queue('engine');
    await queue.setGlobalRateLimit(1, 60 * MINUTE);
    await (await jobs.enqueue(echo, 'one', { queue: 'engine' })).result();
    const job = await jobs.enqueue(echo, 'two', { queue: 'engine' });
    const { reason, message } = await why(job);
    expect(reason).toEqual({ kind: 'limited', limit: 'bullmq:engine', until: expect.any(String) });
    const { until } = reason as { until: string };
    expect(Date.parse(until)).toBeGreaterThan(Date.now());
    expect(Date.parse(until)).toBeLessThanOrEqual(Date.now() + 60 * MINUTE);
    expect(message).toBe(`BullMQ's own rate limit of its queue lets it begin at ${until}.`);
    await queue.removeGlobalRateLimit();
    await queue.removeRateLimitKey();
  });

  it('[M4] reads a job again that moves on while it is looked at', async () => {
    await holding('moving', 'lets go');
    const { job } = await inLine('moving', 'gets it');
    const { entered } = Stuck.gate('gets it');
    const { ledger } = running.app.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
    const list = ledger.list.bind(ledger);
    let looks = 0;
    ledger.list = async (...args) => {
      const records = await list(...args);
      if (++looks === 1) {
        Stuck.open('lets go');
        await entered;
      }
      return records;
    };
    const { reason } = await why(job).finally(() => (ledger.list = list));
    expect(reason.kind).toBe('running');
    expect(looks).toBe(2);
    Stuck.openAll();
    await job.result();
  });
});

const servers = backends.filter(({ name }) => name !== 'embedded');
if (servers.length > 0) {
  describe.each(servers)('why a job does not run, with $name away', (backend) => {
    it('[M4] fails in time', async () => {
      const url = new URL(backend.name === 'redis' ? redisUrl() : postgresUrl());
      const proxy = await TcpProxy.to(Number(url.port));
      url.port = String(proxy.port);
      const connection = url.href;
      const away = await start({ ...backend, connection: () => connection }, { connectTimeout: '1s' });
      const job = await eventually(() => away.jobs.enqueue(hold, 'later', { delay: '1h' }));
      expect((await away.jobs.fleet.why(job.id)).reason.kind).toBe('scheduled');
      proxy.freeze();
      await expect(away.jobs.fleet.why(job.id)).rejects.toThrow(BackendUnavailableError);
      proxy.thaw();
      await away.close();
      await proxy.close();
    });
  });
}
