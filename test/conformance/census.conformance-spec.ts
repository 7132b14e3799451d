import { Injectable } from '@nestjs/common';
import type { PostgresConnection } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  chain,
  Idempotent,
  JobContext,
  Locked,
  NonRetryableError,
  Priority,
  Task,
  task,
  type JobHandle,
  type JobsService,
} from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { Line } from '../../libs/jobs/src/backend/lines.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { Census } from '../../libs/jobs/src/census/census.js';
import type { QueueFigures } from '../../libs/jobs/src/census/figures.js';
import { NO_DEAD_LETTER } from '../../libs/jobs/src/client/child-failure.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

let open = signal();
let entered = signal<string>();

@Injectable()
class Chores {
  static broken = true;

  @Task({ name: 'chores.hold' })
  async hold(_payload: undefined, job: JobContext): Promise<void> {
    entered.reach(job.id);
    await open.reached;
  }

  @Task({ name: 'chores.locked', queue: 'wide' })
  @Locked({ key: ({ key }) => key })
  async locked(_payload: { key: string }): Promise<void> {
    await open.reached;
  }

  @Task({ name: 'chores.once', queue: 'wide' })
  @Idempotent({ key: ({ key }) => key })
  async once(_payload: { key: string }): Promise<void> {
    await open.reached;
  }

  @Task({ name: 'chores.fail', queue: 'wide' })
  fail(): void {
    if (Chores.broken) throw new NonRetryableError('no use');
  }

  @Task({ name: 'chores.late', queue: 'wide', retry: { delay: '1h', maxDelay: '1h', jitter: 'none' } })
  late(): never {
    throw new Error('in an hour');
  }
}

const hold = task(Chores, 'hold');
const locked = task(Chores, 'locked');
const once = task(Chores, 'once');
const fail = task(Chores, 'fail');
const late = task(Chores, 'late');

describe.each(backends)('the census on $name', (backend) => {
  let started: JobsApp;
  let census: Census;
  let store: QueueBackend;
  beforeAll(async () => {
    started = await startJobsApp({
      backend,
      providers: [Chores],
      options: {
        queues: { default: { concurrency: 1 }, wide: { concurrency: 20 }, idle: {}, other: {} },
        workers: { except: ['idle', 'other'] },
      },
    });
    census = started.app.get(Census);
    store = started.app.get<QueueBackend>(QUEUE_BACKEND);
  });
  beforeEach(() => {
    open = signal();
    entered = signal();
  });
  afterEach(() => open.reach());
  afterAll(() => started?.close());

  const of = async (queue: string): Promise<QueueFigures> =>
    (await census.read(0)).queues.find((figures) => figures.queue === queue)!;
  const NONE = { waiting: 0, delayed: 0, blocked: 0, running: 0, deadLetters: 0, paused: false };

  it('[M2] [M4] counts the jobs of each declared queue where they stand, and none that has ended', async () => {
    const { jobs } = started;
    const { queues, at, locksWaiting } = await census.read(0);
    expect(queues.map(({ queue }) => queue)).toEqual(['default', 'wide', 'idle', 'other']);
    expect(queues.find(({ queue }) => queue === 'idle')).toEqual({ queue: 'idle', ...NONE });
    expect([locksWaiting, Math.abs(Date.now() - at) < 60_000]).toEqual([0, true]);

    const running = await jobs.enqueue(hold);
    await entered.reached;
    const next = await jobs.enqueue(hold);
    const urgent = await jobs.enqueue(hold, undefined, { priority: Priority.critical });
    const scheduled = await jobs.enqueue(hold, undefined, { delay: '1h' });
    const parts = await jobs.start(chain(hold.si(undefined), hold.si(undefined)));
    expect(await of('default')).toEqual({
      queue: 'default',
      ...NONE,
      running: 1,
      waiting: 3,
      delayed: 1,
      blocked: 1,
      oldestWaitingSince: Date.parse((await next.status()).createdAt),
    });
    await scheduled.cancel();
    open.reach();
    for (const job of [running, next, urgent, parts]) await job.result();
    await eventually(async () => expect(await of('default')).toEqual({ queue: 'default', ...NONE }));
  });

  it('[M2] counts those that wait for another attempt as delayed', async () => {
    const job = await started.jobs.enqueue(late);
    await eventually(async () => expect((await job.status()).state).toBe('retrying'));
    expect(await of('wide')).toEqual({ queue: 'wide', ...NONE, delayed: 1 });
    await job.cancel();
    await eventually(async () => expect(await of('wide')).toMatchObject({ delayed: 0, waiting: 0 }));
  });

  it('[M2] says since when the oldest has waited, whatever its priority', async () => {
    const { jobs } = started;
    const add = (priority: number): Promise<JobHandle> =>
      jobs.enqueue(hold, undefined, { queue: 'idle', priority }) as Promise<JobHandle>;
    const since = async (): Promise<number | undefined> => (await of('idle')).oldestWaitingSince;
    const createdAt = async (job: JobHandle): Promise<number> => Date.parse((await job.status()).createdAt);
    const handles: JobHandle[] = [];
    for (const priority of [5, 0, 9, 5, 2, 0]) {
      handles.push(await add(priority));
      // So that no two have one time.
      await eventually(async () => Date.now() > (await createdAt(handles.at(-1)!)), { interval: 1 });
    }
    expect((await of('idle')).waiting).toBe(6);
    for (const [n, handle] of handles.entries()) {
      expect([n, await since()]).toEqual([n, await createdAt(handle)]);
      await (await jobs.queue('idle').getJob(handle.id))!.remove();
    }
    expect(await since()).toBeUndefined();
  });

  it('[M2] counts those whose time has come as waiting, from that time on, also where nobody fetches', async () => {
    const { jobs } = started;
    const job = await jobs.enqueue(hold, undefined, { queue: 'idle', delay: 300 });
    const far = await jobs.enqueue(hold, undefined, { queue: 'idle', delay: '1h' });
    expect(await of('idle')).toEqual({ queue: 'idle', ...NONE, delayed: 2 });
    const due = Date.parse((await job.status()).scheduledFor!);
    await eventually(async () =>
      expect(await of('idle')).toEqual({ queue: 'idle', ...NONE, waiting: 1, delayed: 1, oldestWaitingSince: due }),
    );
    await jobs.purge('idle');
    expect(await far.status().catch(() => undefined)).toBeUndefined();
  });

  it('[M2] takes a job that is back in the queue for one that waits since a worker had it', async () => {
    const { jobs } = started;
    const key = 'back';
    const place = await hold1(store, `lock:${key}`);
    const job = await jobs.enqueue(locked, { key });
    await eventually(async () => expect((await job.status()).waitingFor?.kind).toBe('lock'));
    const begun = await jobs.queue('wide').getJob(job.id);
    await jobs.queue('wide').pause();
    const called = await store.lines.free(place.line, place.id, place.token);
    await store.wake(jobs.queue('wide'), called);
    expect(begun!.processedOn).toBeGreaterThanOrEqual(begun!.timestamp);
    expect(await of('wide')).toEqual({
      queue: 'wide',
      ...NONE,
      waiting: 1,
      paused: true,
      oldestWaitingSince: begun!.processedOn,
    });
    await jobs.queue('wide').resume();
    open.reach();
    await job.result();
    expect((await of('wide')).paused).toBe(false);
  });

  it('[M2] [M4] counts dead letters as jobs.deadLetters does: no cancelled ones, those that were redriven too', async () => {
    const { jobs } = started;
    Chores.broken = true;
    const letters = await Promise.all(Array.from({ length: 3 }, () => jobs.enqueue(fail)));
    for (const job of letters) await expect(job.result()).rejects.toThrow();
    const cancelled = await jobs.enqueue(fail, undefined, { delay: '1h' });
    await cancelled.cancel();
    const kept = await jobs.queue('wide').getJob(cancelled.id);
    await eventually(async () => expect(await kept!.getState()).toBe('failed'));
    const counted = async (): Promise<number[]> => [
      (await of('wide')).deadLetters,
      await jobs.deadLetters.count({ queue: 'wide' }),
      (await jobs.deadLetters.list({ queue: 'wide' })).letters.length,
    ];
    expect(await counted()).toEqual([3, 3, 3]);
    await expect((await jobs.deadLetters.redrive(letters[0]!.id)).result()).rejects.toThrow();
    expect(await counted()).toEqual([4, 4, 4]);
    Chores.broken = false;
    await (await jobs.deadLetters.redrive(letters[1]!.id)).result();
    expect(await counted()).toEqual([4, 4, 4]);
    expect((await of('idle')).deadLetters).toBe(0);

    const question = { queues: [jobs.queue('wide')], exceptReason: NO_DEAD_LETTER, lockLines: 'lock:' };
    const later = await store.figures.read({ ...question, deadLettersSince: Date.now() + 3_600_000 });
    expect(later.queues[0]!.deadLetters).toBe(0);
    await jobs.deadLetters.discardAll({});
    expect(await counted()).toEqual([0, 0, 0]);
  });

  it('[M2] counts who waits for a lock or a semaphore, jobs and code, and not who waits for a result', async () => {
    const { jobs } = started;
    const waiting = async (): Promise<number> => (await census.read(0)).locksWaiting;
    const work: Promise<unknown>[] = [];
    for (const key of ['a', 'a', 'a', 'b', 'b', 'c']) work.push((await jobs.enqueue(locked, { key })).result());
    for (const key of ['same', 'same']) work.push((await jobs.enqueue(once, { key })).result());
    await eventually(async () => expect(await waiting()).toBe(3));
    work.push(jobs.locks.withLock('a', { ttl: '10s' }, () => open.reached));
    await eventually(async () => expect(await waiting()).toBe(4));
    open.reach();
    await Promise.all(work);
    expect(await waiting()).toBe(0);
  });

  it('[M2] counts waiters line by line, not those of lines that have other names, nor any that are gone', async () => {
    const waiting = async (): Promise<number> => (await census.read(0)).locksWaiting;
    const names = Array.from({ length: 30 }, (_, n) => `lock:ä ${n}:"`);
    const places = await Promise.all([...names, 'lock', 'locker:x', 'once:x'].map((name) => hold1(store, name)));
    for (const { line } of places) {
      for (const id of ['second', 'third']) await store.lines.take(line, id, { ttl: 60_000, stand: true });
    }
    expect(await waiting()).toBe(60);
    await store.lines.leave(places[0]!.line, 'third');
    expect(await waiting()).toBe(59);
    for (const { line, id, token } of places) {
      await store.lines.free(line, id, token);
      for (const waiter of ['second', 'third']) await store.lines.leave(line, waiter, true);
    }
    expect(await waiting()).toBe(0);
    expect(await linesInIndex(store)).toEqual([]);
  });

  it('[M2] forgets lines whose waiters have gone without a word', async () => {
    const { line } = await hold1(store, 'lock:lost', 20);
    await store.lines.take(line, 'second', { ttl: 60_000, stand: true });
    const { line: other } = await hold1(store, 'once:lost', 20);
    await store.lines.take(other, 'second', { ttl: 60_000, stand: true });
    expect((await census.read(0)).locksWaiting).toBe(1);
    await loseLines(store, started.jobs);
    expect((await census.read(0)).locksWaiting).toBe(0);
    for (let n = 0; n < 200 && (await linesInIndex(store)).length > 0; n++) {
      const { line: next, id, token } = await hold1(store, `once:${n}`);
      await store.lines.take(next, 'second', { ttl: 60_000, stand: true });
      await store.lines.leave(next, 'second');
      await store.lines.free(next, id, token);
    }
    expect(await linesInIndex(store)).toEqual([]);
  });
});

interface Place {
  line: Line;
  id: string;
  token: number;
}

async function hold1(store: QueueBackend, name: string, patience = 60_000): Promise<Place> {
  const line = { name, places: 1, patience };
  const taken = await store.lines.take(line, 'first', { ttl: 60_000, stand: false });
  if (taken.kind !== 'holds') throw new Error(`somebody else holds ${name}`);
  return { line, id: 'first', token: taken.fencingToken };
}

/** What Redis remembers lines by; a database needs nothing of the kind. */
async function linesInIndex(store: QueueBackend): Promise<string[]> {
  const { producer, prefix } = redisOf(store);
  return producer ? producer.zrange(`${prefix}:_waiting`, '0', '-1') : [];
}

/** As when their time is over. */
async function loseLines(store: QueueBackend, jobs: JobsService): Promise<void> {
  const { producer, prefix } = redisOf(store);
  if (producer) {
    for (const name of ['lock:lost', 'once:lost']) await producer.del(`${prefix}:line:${name}:waiting`);
    return;
  }
  const { connection } = jobs.queue('wide').getBackend() as unknown as { connection: PostgresConnection };
  await connection.pool.query('UPDATE jobs_waiter SET forgotten_at = clock_timestamp()');
}

function redisOf(store: QueueBackend): { producer?: Redis; prefix: string } {
  return store as unknown as { producer?: Redis; prefix: string };
}
