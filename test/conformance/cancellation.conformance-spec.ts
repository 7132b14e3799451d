import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  InvalidArgumentError,
  JobCancelledError,
  JobNotFoundError,
  JobsRunner,
  OnFailure,
  RetryLater,
  Skip,
  Snooze,
  Task,
  task,
  type JobContext,
  type JobHandle,
  type JobStatus,
} from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

/** What a task does once it is asked to stop. */
const ENDS = {
  throws: () => {
    throw new Error('stopped');
  },
  'throws the reason': (job: JobContext) => job.signal.throwIfAborted(),
  'asks for another attempt': () => {
    throw new RetryLater(1);
  },
  snoozes: () => {
    throw new Snooze(1);
  },
  skips: () => {
    throw new Skip('nothing left to do');
  },
  returns: () => {},
} satisfies Record<string, (job: JobContext) => void>;
type End = keyof typeof ENDS;

@Injectable()
class Stoppable {
  static started = new Map<string, Signal<JobContext>>();
  static handled: string[] = [];

  static next(key: string): Signal<JobContext> {
    const next = signal<JobContext>();
    Stoppable.started.set(key, next);
    return next;
  }

  @Task({ retry: { attempts: 3 } })
  async untilAsked({ key, end }: { key: string; end: End }, job: JobContext): Promise<string> {
    Stoppable.started.get(key)?.reach(job);
    await new Promise<void>((resolve) => job.signal.addEventListener('abort', () => resolve()));
    ENDS[end](job);
    return 'well';
  }

  @Task()
  async neverStops({ key }: { key: string }, job: JobContext): Promise<void> {
    Stoppable.started.get(key)!.reach(job);
    await new Promise(() => {});
  }

  @Task({ retry: { attempts: 2, delay: '1h', maxDelay: '1h', jitter: 'none' } })
  failsOnce(): never {
    throw new Error('tried again in an hour');
  }

  @Task({ queue: 'other' })
  well(): void {}

  @OnFailure()
  onFailure({ id }: { id: string }): void {
    Stoppable.handled.push(id);
  }
}

let keys = 0;

describe.each(backends)('cancelling on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    const options = {
      queues: { default: {}, other: {}, unserved: {} },
      workers: { except: ['unserved'] },
      lease: '2s',
      cancelGrace: '500ms',
      // Not all of them ever end.
      shutdown: { grace: '100ms' },
    };
    started = await startJobsApp({ backend, providers: [Stoppable], options });
  });
  afterAll(() => started?.close());

  async function running(method: 'untilAsked' | 'neverStops', end: End = 'throws', jobs = started.jobs) {
    const key = `job ${++keys}`;
    const begun = Stoppable.next(key);
    const job = await jobs.enqueue(task(Stoppable, method), { key, end }, { tags: [`tag of ${key}`] });
    return { key, job, context: await begun.reached };
  }

  async function ended(job: JobHandle): Promise<JobStatus> {
    await job.result().catch(() => {});
    return job.status();
  }

  it('[A6] asks a running job to stop, says so, and ends it as cancelled with the reason', async () => {
    const { job, context } = await running('untilAsked');
    expect(await job.cancel({ reason: 'not wanted' })).toBe(true);
    await expect(job.result()).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'not wanted' });
    expect(context.signal.reason).toBeInstanceOf(JobCancelledError);
    expect(context.signal.reason).toMatchObject({ jobId: job.id, reason: 'not wanted' });
    const status = await job.status();
    expect(status).toMatchObject({ state: 'cancelled', reason: 'not wanted', attempt: 1, terminal: true });
    expect(status.attempts).toMatchObject([{ attempt: 1, error: { message: 'stopped' } }]);
    expect(status).not.toHaveProperty('cancelRequested');
    expect(status).not.toHaveProperty('error');
    // A second time changes nothing any more.
    expect(await job.cancel({ reason: 'again' })).toBe(true);
    expect(await job.status()).toEqual(status);
    expect(await started.jobs.deadLetters.count({ task: task(Stoppable, 'untilAsked') })).toBe(0);
    expect(Stoppable.handled).not.toContain(job.id);
  });

  it.each([
    ['throws', 'cancelled'],
    ['throws the reason', 'cancelled'],
    ['asks for another attempt', 'cancelled'],
    ['snoozes', 'cancelled'],
    ['skips', 'succeeded'],
    ['returns', 'succeeded'],
  ] as const)('[A6] a running job that %s when it is asked ends %s', async (end, state) => {
    const { job } = await running('untilAsked', end);
    expect(await job.cancel()).toBe(true);
    expect(await ended(job)).toMatchObject({ state, attempt: 1 });
  });

  it('[A6] says that it was asked until it has ended, and cuts off what does not stop', async () => {
    const { job } = await running('neverStops');
    expect(await job.cancel({ reason: 'enough' })).toBe(true);
    expect(await job.status()).toMatchObject({ state: 'running', cancelRequested: true, reason: 'enough' });
    const status = await ended(job);
    expect(status).toMatchObject({ state: 'cancelled', reason: 'enough' });
    const error = { name: 'JobCancelledError' };
    expect(status.attempts).toMatchObject([{ attempt: 1, leftRunning: true, error }]);
  });

  it('[A6] cancels at once what waits for its next attempt', async () => {
    const job = await started.jobs.enqueue(task(Stoppable, 'failsOnce'));
    await eventually(async () => expect((await job.status()).state).toBe('retrying'));
    expect(await job.cancel({ reason: 'given up' })).toBe(true);
    expect(await job.status()).toMatchObject({ state: 'cancelled', reason: 'given up', attempt: 1 });
    expect(await ended(job)).toMatchObject({ state: 'cancelled', reason: 'given up', attempt: 1 });
  });

  it('[A6] finds the mark when it renews its claims, when nobody is told', async () => {
    const { messages } = started.app.get<QueueBackend>(QUEUE_BACKEND);
    const publish = jest.spyOn(messages, 'publish').mockResolvedValue();
    const { job } = await running('untilAsked');
    expect(await job.cancel()).toBe(true);
    expect(await ended(job)).toMatchObject({ state: 'cancelled' });
    expect(publish).toHaveBeenCalledTimes(1);
    publish.mockRestore();
  });

  it('[A6] ends as cancelled, without another run, when its process dies after it was asked', async () => {
    const { job, context } = await running('neverStops');
    const { workers } = started.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    const { lockManager } = workers.get('default') as unknown as { lockManager: { trackedJobs: Map<string, unknown> } };
    const { messages } = started.app.get<QueueBackend>(QUEUE_BACKEND);
    const publish = jest.spyOn(messages, 'publish').mockResolvedValue();
    lockManager.trackedJobs.delete(job.id);
    expect(await job.cancel({ reason: 'too late' })).toBe(true);
    expect(await ended(job)).toMatchObject({ state: 'cancelled', reason: 'too late' });
    expect(context.attempt).toBe(1);
    publish.mockRestore();
  });

  it('[A6] of an ended job answers false, of an unknown one is an error', async () => {
    const { job } = await running('untilAsked', 'returns');
    await job.cancel();
    const status = await ended(job);
    expect(status.state).toBe('succeeded');
    expect(await job.cancel()).toBe(false);
    expect(await job.status()).toEqual(status);
    await expect(started.jobs.job('default_unknown').cancel()).rejects.toBeInstanceOf(JobNotFoundError);
    await expect(job.cancel({ reason: '' })).rejects.toBeInstanceOf(InvalidArgumentError);
  });

  it('[A6] by tag: all that have it and have not ended, in every queue, and no other', async () => {
    const key = `job ${++keys}`;
    const begun = Stoppable.next(key);
    const tags = [`batch ${keys}`];
    const payload = { key, end: 'throws' as const };
    const runs = await started.jobs.enqueue(task(Stoppable, 'untilAsked'), payload, { tags });
    await begun.reached;
    const later = await started.jobs.enqueue(task(Stoppable, 'failsOnce'), undefined, { tags, delay: '1h' });
    const waits = await started.jobs.enqueue(task(Stoppable, 'failsOnce'), undefined, { tags, queue: 'unserved' });
    const other = await started.jobs.enqueue(task(Stoppable, 'failsOnce'), undefined, { delay: '1h', tags: ['other'] });
    const done = await started.jobs.enqueue(task(Stoppable, 'well'), undefined, { tags });
    await done.result();
    expect(await started.jobs.cancelByTag(tags[0]!, { reason: 'the batch' })).toEqual({ cancelled: 2, asked: 1 });
    expect(await ended(runs)).toMatchObject({ state: 'cancelled', reason: 'the batch' });
    expect(await ended(later)).toMatchObject({ state: 'cancelled', reason: 'the batch' });
    expect(await waits.status()).toMatchObject({ state: 'cancelled', reason: 'the batch' });
    expect(await other.status()).toMatchObject({ state: 'scheduled' });
    expect(await done.status()).toMatchObject({ state: 'succeeded' });
    expect(await started.jobs.cancelByTag(tags[0]!)).toEqual({ cancelled: expect.any(Number), asked: 0 });
    expect(await started.jobs.cancelByTag('nobody has it')).toEqual({ cancelled: 0, asked: 0 });
    await expect(started.jobs.cancelByTag('')).rejects.toBeInstanceOf(InvalidArgumentError);
  });
});

const serverBackends = backends.filter(({ name }) => name !== 'embedded');
if (serverBackends.length > 0) {
  describe.each(serverBackends)('cancelling what another process runs, on $name', (backend) => {
    it('[A6] aborts its signal there, with the reason', async () => {
      const namespace = uniqueNamespace();
      const worker = await startJobsApp({
        backend,
        providers: [Stoppable],
        options: { namespace, queues: { other: {} } },
      });
      const producer = await startJobsApp({
        backend,
        providers: [Stoppable],
        options: { namespace, queues: { other: {} }, workers: false },
      });
      const begun = Stoppable.next('elsewhere');
      const payload = { key: 'elsewhere', end: 'throws' as const };
      const job = await producer.jobs.enqueue(task(Stoppable, 'untilAsked'), payload);
      const context = await begun.reached;
      expect(await job.cancel({ reason: 'from afar' })).toBe(true);
      await expect(job.result()).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'from afar' });
      expect(context.signal.reason).toMatchObject({ name: 'JobCancelledError', reason: 'from afar' });
      await producer.close();
      await worker.close();
    });
  });
}
