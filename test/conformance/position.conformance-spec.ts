import { Injectable } from '@nestjs/common';
import { JobsService, Task, task } from 'nestjs-jobs';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

@Injectable()
class Numbers {
  ran: string[] = [];

  @Task({ name: 'numbers.take', retry: { attempts: 1 } })
  take(name: string): void {
    this.ran.push(name);
  }
}

const take = task(Numbers, 'take');

describe.each(backends)('position on $name', (backend) => {
  let app: JobsApp;
  let jobs: JobsService;
  beforeEach(async () => {
    app = await startJobsApp({ backend, providers: [Numbers], options: { queues: { default: { concurrency: 1 } } } });
    jobs = app.jobs;
    await jobs.queue('default').pause();
  });
  afterEach(() => app.close());

  const positionOf = async (id: string): Promise<number | undefined> => (await jobs.job(id).status()).position;

  it('[A2] is how many jobs are taken before, in the order in which they are taken', async () => {
    const ids = new Map<string, string>();
    for (const [name, priority] of [
      ['first', 5],
      ['second', 5],
      ['bulk', 0],
      ['urgent', 9],
      ['third', 5],
    ] as const) {
      ids.set(name, (await jobs.enqueue(take, name, { priority })).id);
    }
    // Without a priority, as jobs that were woken or given back: before all others.
    for (const name of ['woken', 'woken-too']) {
      await jobs.queue('default').add('numbers.take', { p: name }, { jobId: `default_${name}` });
      ids.set(name, `default_${name}`);
    }
    const positions = await Promise.all([...ids].map(async ([name, id]) => ({ name, position: await positionOf(id) })));
    const order = positions.toSorted((a, b) => a.position! - b.position!).map(({ name }) => name);
    expect(positions.map(({ position }) => position!).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await jobs.queue('default').resume();
    const { ran } = app.app.get(Numbers);
    await eventually(() => ran.length === ids.size);
    expect(ran).toEqual(order);
  });

  it('[A2] is told of pending jobs only', async () => {
    const later = await jobs.enqueue(take, 'later', { delay: '1h' });
    const cancelled = await jobs.enqueue(take, 'cancelled');
    await cancelled.cancel();
    const next = await jobs.enqueue(take, 'next');
    for (const { id } of [later, cancelled]) expect(await positionOf(id)).toBeUndefined();
    // A worker has to get to the cancelled one first.
    expect(await positionOf(next.id)).toBe(1);
    await jobs.queue('default').resume();
    await next.result();
    expect(await positionOf(next.id)).toBeUndefined();
  });

  it('[A2] is not told of parked jobs', async () => {
    await jobs.queue('default').add('numbers.unknown', {}, { jobId: 'default_parked', priority: 5 });
    await jobs.queue('default').resume();
    await eventually(async () => (await jobs.job('default_parked').status()).waitingFor?.kind === 'unknown-task');
    const { state, position } = await jobs.job('default_parked').status();
    expect({ state, position }).toEqual({ state: 'pending', position: undefined });
  });

  it('[A3] is not told of many jobs together', async () => {
    const { id } = await jobs.enqueue(take, 'one');
    const { jobs: listed } = await jobs.list({ state: 'pending' });
    expect([(await jobs.statuses([id]))[id], ...listed]).toEqual([
      expect.objectContaining({ id, state: 'pending' }),
      expect.objectContaining({ id, state: 'pending' }),
    ]);
    expect(listed[0]).not.toHaveProperty('position');
    expect((await jobs.statuses([id]))[id]).not.toHaveProperty('position');
  });

  it('[A2] is left out where too many jobs would have to be looked at', async () => {
    const store = app.app.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
    const queue = jobs.queue('default');
    const names = Array.from({ length: 5 }, (_, n) => `default_${n}-raw`);
    for (const jobId of names) await queue.add('numbers.take', { p: jobId }, { jobId });
    const positions = (most: number): Promise<unknown[]> =>
      Promise.all(names.map((id) => store.positionOf(queue, id, most)));
    expect(await positions(4)).toEqual([0, 1, 2, 3, 4]);
    expect(await positions(2)).toEqual([0, 1, 2, undefined, undefined]);
    expect(await store.positionOf(queue, 'default_none', 4)).toBeUndefined();
  });
});
