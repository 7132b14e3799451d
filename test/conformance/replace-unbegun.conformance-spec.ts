import { Job, type Queue, type Worker } from 'bullmq';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { QueueBackend, Replaced, Replacement } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { MemoryLogger } from '../support/memory-logger.js';

const HOUR = 3_600_000;
const MARKS = { waiting: 'mark', active: 'mark-active', beginning: 'mark' };

describe.each(backends)('replacing a job that has not begun on $name', ({ connection }) => {
  let backend: QueueBackend;
  let queue: Queue;
  let worker: Worker;

  beforeAll(async () => {
    const options = resolveOptions({ connection: connection()!, namespace: uniqueNamespace() });
    backend = await openBackend(options, new MemoryLogger());
    await backend.whenReady(10_000);
  });
  afterAll(() => backend?.close(10_000));
  let queues = 0;
  beforeEach(() => {
    queue = backend.createQueue(`queue-${++queues}`);
    worker = backend.createWorker(queue.name, async () => {}, { concurrency: 1, lease: 30_000 });
  });
  afterEach(async () => {
    await worker.close();
    await queue.close();
  });

  const add = (id: string, options: { delay?: number; priority?: number; key?: string } = {}): Promise<Job> => {
    const { key = 'k', priority = 5, delay = 0 } = options;
    return queue.add(
      'task',
      { p: id },
      { jobId: id, priority, delay, attempts: 3, backoff: HOUR, deduplication: { id: key } },
    );
  };

  const replace = (by: Partial<Replacement> = {}): Promise<Replaced | undefined> => {
    const now = Date.now();
    const replacement = { data: '{"p":"new"}', priority: 5, attempts: 3, now, due: now, maxWait: undefined };
    return backend.replaceUnbegun(queue, 'k', { ...replacement, freesKey: false, ...by });
  };

  const fetch = async (token = 'token'): Promise<Job> => (await worker.getNextJob(token, { block: false }))!;
  const stored = async (id: string): Promise<Job> => (await queue.getJob(id))!;

  async function park(id: string, said: object): Promise<Job> {
    await add(id);
    const job = await fetch();
    await job.updateProgress({ attempt: 1, ...said });
    await job.moveToDelayed(Date.now() + 2 * HOUR, 'token');
    return job;
  }

  const WAITS = { waits: { for: 'lock', since: 0 } };

  it('[I4] gives it new data, attempts, priority and time, and leaves its id, its timestamp and its key', async () => {
    const { timestamp } = await add('a', { delay: HOUR });
    const now = Date.now();
    expect(await replace({ now, due: now + 2 * HOUR, priority: 2, attempts: 7 })).toEqual({ id: 'a', delay: 2 * HOUR });
    const job = await stored('a');
    expect(job).toMatchObject({ data: { p: 'new' }, timestamp, priority: 2, opts: { attempts: 7, priority: 2 } });
    expect(job.timestamp + job.opts.delay!).toBe(now + 2 * HOUR);
    expect(await job.getState()).toBe('delayed');
    expect(await queue.getDeduplicationJobId('k')).toBe('a');
    expect(job.opts.deduplication).toEqual({ id: 'k' });
    expect(await fetch()).toBeUndefined();
  });

  it('[I4] one that is due now is fetched by its priority', async () => {
    await add('between', { key: 'other', priority: 3 });
    await add('a', { delay: HOUR });
    expect(await replace({ priority: 1 })).toEqual({ id: 'a', delay: 0 });
    expect((await fetch('1')).id).toBe('a');
    expect((await fetch('2')).id).toBe('between');
  });

  it('[I4] one that waits keeps its place among those of its priority, gets another by another, or is put off', async () => {
    await add('a');
    await add('b', { key: 'other' });
    await replace();
    expect((await stored('a')).data).toEqual({ p: 'new' });
    expect((await fetch('1')).id).toBe('a');
    await queue.removeDeduplicationKey('k');
    await add('c');
    await replace({ priority: 9 });
    expect((await fetch('2')).id).toBe('b');
    await replace({ due: Date.now() + HOUR });
    expect(await (await stored('c')).getState()).toBe('delayed');
    expect(await fetch('3')).toBeUndefined();
    await replace({ priority: 9 });
    expect(await fetch('3')).toMatchObject({ id: 'c', data: { p: 'new' }, priority: 9 });
  });

  it('[I4] a worker that waits for jobs is woken by one that has become due', async () => {
    const ran = new Promise<string>((resolve) => {
      worker.on('completed', (job) => resolve(job.id!));
    });
    await add('a', { delay: HOUR });
    void worker.run();
    await worker.waitUntilReady();
    await replace({ due: Date.now() + 200 });
    expect(await ran).toBe('a');
  });

  it('[I4] maxWait counts from the timestamp, and may have passed', async () => {
    const { timestamp } = await add('a', { delay: HOUR });
    const now = Date.now();
    const replaced = await replace({ now, due: now + 3 * HOUR, maxWait: 2 * HOUR });
    expect(replaced).toEqual({ id: 'a', delay: timestamp + 2 * HOUR - now });
    expect(await replace({ now, due: now + HOUR, maxWait: 0 })).toEqual({ id: 'a', delay: 0 });
    expect((await fetch()).id).toBe('a');
  });

  it('[I4] one that was parked before it began keeps its place in time', async () => {
    await park('a', WAITS);
    const before = await stored('a');
    expect(await replace({ due: Date.now() + 9 * HOUR, priority: 1 })).toEqual({ id: 'a', delay: 0 });
    const after = await stored('a');
    expect(after).toMatchObject({ data: { p: 'new' }, delay: before.delay, progress: before.progress });
    expect(after.opts.delay).toBe(before.opts.delay);
    expect(await after.getState()).toBe('delayed');
    await queue.getBackend().promote('a');
    expect(await fetch()).toMatchObject({ id: 'a', data: { p: 'new' } });
  });

  it.each([
    ['snoozes', { snoozedUntil: 1 }],
    ['is parked and has begun before', { ...WAITS, begun: true }],
    ['says something else', { progress: 7 }],
  ])('[I4] one that %s is left alone', async (_what, said) => {
    await park('a', said);
    expect(await replace()).toBeUndefined();
    expect((await stored('a')).data).toEqual({ p: 'a' });
  });

  it('[I4] one that runs, that retries after it was parked, or was given back is left alone', async () => {
    const job = await park('a', WAITS);
    await queue.getBackend().promote('a');
    const again = await fetch();
    expect(await replace()).toBeUndefined();
    await again.moveToFailed(new Error('not yet'), 'token');
    expect(await (await stored('a')).getState()).toBe('delayed');
    expect(await replace()).toBeUndefined();
    expect((await stored('a')).data).toEqual({ p: 'a' });
    await queue.getBackend().promote('a');
    const third = await fetch();
    expect(third.id).toBe(job.id);
    expect(await backend.giveBack(queue, 'a', 'token')).toBe(true);
    expect(await replace()).toBeUndefined();
  });

  it('[I4] one that was given back in its first attempt is left alone', async () => {
    await add('a');
    await fetch();
    await backend.giveBack(queue, 'a', 'token');
    expect(await replace()).toBeUndefined();
    expect((await stored('a')).data).toEqual({ p: 'a' });
  });

  it('[I4] one that is marked as cancelled is left alone, and gives up its key when asked', async () => {
    await add('a', { delay: HOUR });
    await backend.markCancelled(queue, ['a'], MARKS);
    expect(await replace()).toBeUndefined();
    expect(await queue.getDeduplicationJobId('k')).toBe('a');
    expect(await replace({ freesKey: true })).toBeUndefined();
    expect((await queue.getDeduplicationJobId('k')) ?? undefined).toBeUndefined();
    expect((await stored('a')).data).toEqual({ p: 'a' });
    expect(await replace({ freesKey: true })).toBeUndefined();
  });
});
