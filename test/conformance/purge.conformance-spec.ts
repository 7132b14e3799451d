import { Injectable } from '@nestjs/common';
import { InvalidJobsOptionsError, JobNotFoundError, Task, task, type JobHandle } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Work } from '../support/work.js';

@Injectable()
class Absent {
  @Task({ name: 'absent', queue: 'narrow' })
  run(): void {}
}

@Injectable()
class Retrying {
  @Task({ name: 'retrying', queue: 'narrow', retry: { delay: '1h', maxDelay: '1h', jitter: 'none' } })
  fail(): never {
    throw new Error('in an hour');
  }
}

describe.each(backends)('purge on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({
      backend,
      providers: [Work, Retrying],
      options: {
        queues: { narrow: {}, single: { concurrency: 1 }, unworked: {} },
        workers: { except: ['unworked'] },
        connectTimeout: '10s',
      },
    });
  });
  afterAll(() => started?.close());

  const state = async (job: JobHandle): Promise<string> => (await job.status()).state;

  it('removes what waits, and nothing that runs or has ended', async () => {
    const { jobs } = started;
    const gate = Work.gate('purged');
    const ended = await jobs.enqueue(task(Work, 'single'), { name: 'ended' });
    await ended.result();
    const running = await jobs.enqueue(task(Work, 'single'), { name: 'running', gate: 'purged' });
    await gate.entered.reached;
    const names = ['pending', 'urgent', 'scheduled', 'cancelled'];
    const options = [{}, { priority: 9 }, { delay: '1h' }, {}];
    const waiting = await jobs.enqueueMany(
      names.map((name, n) => ({ task: task(Work, 'single'), payload: { name }, options: options[n]! })),
    );
    await waiting[3]!.cancel();
    // Of a producer whose clock is ahead.
    await jobs.queue('single').add('Work.single', {}, { priority: 5, timestamp: Date.now() + 60_000 });
    const elsewhere = await jobs.enqueue(task(Work, 'nothing'), undefined, { delay: '1h' });
    expect(await jobs.purge('single')).toBe(5);
    expect(await jobs.purge('single')).toBe(0);
    for (const job of waiting) await expect(job.status()).rejects.toThrow(JobNotFoundError);
    await expect(waiting[2]!.result()).rejects.toThrow(JobNotFoundError);
    expect(await Promise.all([ended, running, elsewhere].map(state))).toEqual(['succeeded', 'running', 'scheduled']);
    gate.open.reach();
    await running.result();
    expect(Work.order.slice(-2)).toEqual(['ended', 'running']);
  });

  it('removes jobs that wait for their next attempt, and for a worker that has their task', async () => {
    const retrying = await started.jobs.enqueue(task(Retrying, 'fail'));
    const parked = await started.jobs.enqueue(task(Absent, 'run'));
    await eventually(async () => expect(await state(retrying)).toBe('retrying'));
    // An hour after it was found to be unknown it fails.
    const until = expect.any(String) as string;
    await eventually(async () => expect((await parked.status()).waitingFor).toEqual({ kind: 'unknown-task', until }));
    expect(await started.jobs.purge('narrow')).toBe(2);
    for (const job of [retrying, parked]) await expect(job.status()).rejects.toThrow(JobNotFoundError);
  });

  it('counts them all, however many, and leaves the queue fit for use', async () => {
    const { jobs } = started;
    const entries = Array.from({ length: 2_500 }, (_, n) => ({
      task: task(Work, 'nothing'),
      options: { queue: 'unworked', delay: n % 2 === 0 ? '1h' : 0 },
    }));
    await jobs.enqueueMany(entries);
    expect(await jobs.purge('unworked')).toBe(2_500);
    expect(await jobs.queue('unworked').getJobCountByTypes()).toBe(0);
    await jobs.enqueue(task(Work, 'nothing'), undefined, { queue: 'unworked', id: 'again' });
    expect(await jobs.purge('unworked')).toBe(1);
    const again = await jobs.enqueue(task(Work, 'nothing'), undefined, { queue: 'unworked', id: 'again' });
    expect(again.created).toBe(true);
    expect(await state(again)).toBe('pending');
  });

  it('refuses a queue that is not declared', async () => {
    await expect(started.jobs.purge('nowhere')).rejects.toThrow(InvalidJobsOptionsError);
    await expect(started.jobs.purge('nowhere')).rejects.toThrow(/"queue" must be a declared queue.*"nowhere"/);
  });
});
