import { Injectable } from '@nestjs/common';
import {
  HardTimeLimitError,
  JobContext,
  JobFailedError,
  JobsRunner,
  NonRetryableError,
  OnFailure,
  Task,
  task,
  taskContract,
  type JobFailure,
  type JobHandle,
  type JobStatus,
} from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';
import { sized } from '../support/test-form.js';

class PaymentError extends Error {
  readonly code = 'E_PAYMENT';
}
class CardDeclined extends PaymentError {}

const nobodyKnows = taskContract<{ n: number }>('nobody.knows');

@Injectable()
class Failing {
  static frozen: Signal<string>;

  @Task({ name: 'failing.throws', retry: { attempts: 2, delay: 1 } })
  throws({ n }: { n: number }): never {
    throw new CardDeclined(`card ${n}`, { cause: new Error('insufficient funds') });
  }

  @Task({ name: 'failing.at-once' })
  atOnce(): never {
    throw new NonRetryableError('no use');
  }

  @Task({ name: 'failing.too-slow', retry: { attempts: 1 }, timeLimit: { soft: '10ms', hard: '20ms' } })
  tooSlow(): Promise<void> {
    return new Promise(() => {});
  }

  @Task({ name: 'failing.left-behind', retry: { attempts: 1 } })
  async leftBehind(_payload: undefined, job: JobContext): Promise<void> {
    Failing.frozen.reach(job.id);
    await new Promise(() => {});
  }

  @Task({ name: 'failing.never' })
  never(): string {
    return 'well';
  }

  @Task({ name: 'failing.handled', queue: 'handlers' })
  handled({ id }: { id: string }): string {
    return id;
  }
}

interface Call {
  readonly failure: JobFailure;
  readonly rootId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly attempt: number;
}

@Injectable()
class Handlers {
  static calls = new Map<string, Call[]>();

  @OnFailure({}, { name: 'all', queue: 'handlers' })
  all(failure: JobFailure, job: JobContext): string {
    return note('all', failure, job);
  }

  @OnFailure({ tasks: ['failing.t*', 'failing.?ever'] }, { name: 'by-pattern', queue: 'handlers' })
  byPattern(failure: JobFailure, job: JobContext): string {
    return note('by-pattern', failure, job);
  }

  @OnFailure({ tasks: [task(Failing, 'throws'), nobodyKnows] }, { name: 'by-ref', queue: 'handlers' })
  byRef(failure: JobFailure<{ n: number }>, job: JobContext): string {
    return note('by-ref', failure, job);
  }

  @OnFailure({ errors: [PaymentError, 'UnknownTaskError'] }, { name: 'by-error', queue: 'handlers' })
  byError(failure: JobFailure, job: JobContext): string {
    return note('by-error', failure, job);
  }

  @OnFailure(
    { tasks: ['failing.at-once'], errors: ['NonRetryableError'] },
    { name: 'fails', queue: 'handlers', retry: { attempts: 2, delay: 1 } },
  )
  fails(failure: JobFailure, job: JobContext): never {
    note('fails', failure, job);
    throw new Error('the handler too');
  }
}

function note(handler: string, failure: JobFailure, { rootId, headers, attempt }: JobContext): string {
  const key = `${handler} ${failure.id}`;
  Handlers.calls.set(key, [...(Handlers.calls.get(key) ?? []), { failure, rootId, headers, attempt }]);
  return failure.id;
}

function callsOf(handler: string, failedId: string): Call[] {
  return Handlers.calls.get(`${handler} ${failedId}`) ?? [];
}

function handlerJobId(handler: string, failedId: string): string {
  return `handlers_failure-${failedId}-${handler}`;
}

describe.each(backends)('@OnFailure on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    const options = { queues: { default: {}, handlers: {} }, lease: '1s', unknownTaskGrace: '100ms' };
    started = await startJobsApp({ backend, providers: [Failing, Handlers], options });
  });
  afterAll(() => started?.close());

  /** Waits until the job has failed, and gives the names of the handlers that have got a job by then. */
  async function failed(job: JobHandle<unknown>): Promise<{ status: JobStatus; handlers: string[] }> {
    await expect(job.result()).rejects.toBeInstanceOf(JobFailedError);
    const names = ['all', 'by-pattern', 'by-ref', 'by-error', 'fails'];
    const statuses = await started.jobs.statuses(names.map((name) => handlerJobId(name, job.id)));
    return {
      status: await job.status(),
      handlers: names.filter((name) => statuses[handlerJobId(name, job.id)] !== null),
    };
  }

  async function handlerJob(handler: string, failedId: string): Promise<JobStatus> {
    const job = started.jobs.job(handlerJobId(handler, failedId));
    await job.result().catch(() => {});
    return job.status();
  }

  /** The only worker that can have it: its claim is renewed no more, as if its process were frozen. */
  function leaveBehind(id: string): void {
    const { workers } = started.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    const { lockManager } = workers.get('default') as unknown as { lockManager: { trackedJobs: Map<string, unknown> } };
    lockManager.trackedJobs.delete(id);
  }

  it('[R6] tells a handler all that is known of the job that failed', async () => {
    const options = { tags: ['acme'], headers: { trace: 't1' } };
    const job = await started.jobs.enqueue(task(Failing, 'throws'), { n: 7 }, options);
    const { status } = await failed(job);
    const handled = await handlerJob('all', job.id);
    expect(handled).toMatchObject({
      state: 'succeeded',
      result: job.id,
      failureOf: job.id,
      rootId: job.id,
      task: 'all',
    });
    const [call, ...more] = callsOf('all', job.id);
    expect(more).toEqual([]);
    expect(call).toMatchObject({ rootId: job.id, headers: { trace: 't1' }, attempt: 1 });
    expect(call!.failure).toEqual({ ...status, payload: { n: 7 } });
    expect(call!.failure.stack).toMatch(/^CardDeclined|^Error: card 7/);
    expect(call!.failure).toMatchObject({
      task: 'failing.throws',
      state: 'failed',
      tags: ['acme'],
      attempt: 2,
      error: { name: 'Error', message: 'card 7', code: 'E_PAYMENT', cause: { message: 'insufficient funds' } },
    });
  });

  it('[R6] calls those whose tasks and errors fit, each once', async () => {
    const threw = await started.jobs.enqueue(task(Failing, 'throws'), { n: 1 });
    expect((await failed(threw)).handlers).toEqual(['all', 'by-pattern', 'by-ref', 'by-error']);
    const gaveUp = await started.jobs.enqueue(task(Failing, 'atOnce'));
    expect((await failed(gaveUp)).handlers).toEqual(['all', 'fails']);
    for (const name of ['all', 'by-pattern', 'by-ref', 'by-error']) {
      expect(await handlerJob(name, threw.id)).toMatchObject({ state: 'succeeded', attempt: 1 });
      expect(callsOf(name, threw.id)).toHaveLength(1);
    }
  });

  it('[R6] calls them however the job failed: by its time limit', async () => {
    const job = await started.jobs.enqueue(task(Failing, 'tooSlow'));
    expect((await failed(job)).handlers).toEqual(['all', 'by-pattern']);
    await handlerJob('all', job.id);
    expect(callsOf('all', job.id)).toMatchObject([{ failure: { error: { name: HardTimeLimitError.name } } }]);
  });

  it('[R6] calls them however the job failed: its process died in every attempt', async () => {
    Failing.frozen = signal<string>();
    const job = await started.jobs.enqueue(task(Failing, 'leftBehind'));
    leaveBehind(await Failing.frozen.reached);
    expect((await failed(job)).handlers).toEqual(['all']);
    await handlerJob('all', job.id);
    const attempts = [{ attempt: 1, endedAt: null, stalled: true }];
    expect(callsOf('all', job.id)).toMatchObject([{ failure: { attempts, error: { name: 'JobStalledError' } } }]);
  });

  it('[R6] calls them however the job failed: nobody knew its task', async () => {
    const job = await started.jobs.enqueue(nobodyKnows, { n: 3 });
    expect((await failed(job)).handlers).toEqual(['all', 'by-ref', 'by-error']);
    await handlerJob('by-ref', job.id);
    expect(callsOf('by-ref', job.id)).toMatchObject([
      { failure: { payload: { n: 3 }, error: { name: 'UnknownTaskError' } } },
    ]);
  });

  it('[R6] calls them however the job failed: along with a child of its flow', async () => {
    const flows = started.app.get<QueueBackend>(QUEUE_BACKEND).createFlowProducer();
    const child = { name: 'failing.at-once', queueName: 'default', opts: { failParentOnFailure: true } };
    const opts = { jobId: 'default_parent' };
    await flows.add({ name: 'failing.never', queueName: 'default', data: {}, opts, children: [child] });
    const parent = started.jobs.job('default_parent');
    expect((await failed(parent)).handlers).toEqual(['all', 'by-pattern']);
    await handlerJob('all', parent.id);
    const message = expect.stringMatching(/^child .* failed$/) as string;
    expect(callsOf('all', parent.id).at(-1)).toMatchObject({ failure: { task: 'failing.never', error: { message } } });
    await flows.close();
  });

  it('[R6] calls none for a job that ends well, or that was cancelled', async () => {
    const well = await started.jobs.enqueue(task(Failing, 'never'));
    expect(await well.result()).toBe('well');
    const cancelled = await started.jobs.enqueue(task(Failing, 'throws'), { n: 1 }, { delay: '1h' });
    expect(await cancelled.cancel()).toBe(true);
    await expect(cancelled.result()).rejects.toThrow();
    for (const { id } of [well, cancelled]) {
      const handlers = ['all', 'by-pattern', 'by-ref'].map((name) => handlerJobId(name, id));
      expect(await started.jobs.statuses(handlers)).toEqual(Object.fromEntries(handlers.map((each) => [each, null])));
    }
  });

  it('[R6] tries a failing handler again by its own policy, and then keeps it as a dead letter without handlers', async () => {
    const job = await started.jobs.enqueue(task(Failing, 'atOnce'));
    await failed(job);
    const handled = await handlerJob('fails', job.id);
    expect(handled).toMatchObject({ state: 'failed', attempt: 2, error: { message: 'the handler too' } });
    expect(callsOf('fails', job.id).map(({ attempt }) => attempt)).toEqual([1, 2]);
    const { letters } = await started.jobs.deadLetters.list({ task: 'fails' });
    expect(letters.map(({ id }) => id)).toContain(handled.id);
    const ofHandler = ['all', 'fails'].map((name) => handlerJobId(name, handled.id));
    expect(Object.values(await started.jobs.statuses(ofHandler))).toEqual([null, null]);
  });

  it('[R6] tells a handler that is redriven the same failure', async () => {
    const job = await started.jobs.enqueue(task(Failing, 'atOnce'));
    await failed(job);
    const { id } = await handlerJob('fails', job.id);
    const again = await started.jobs.deadLetters.redrive(id);
    await expect(again.result()).rejects.toThrow('the handler too');
    expect(await again.status()).toMatchObject({ failureOf: job.id, redriveOf: id });
    const told = callsOf('fails', job.id).map(({ failure }) => failure.id);
    expect(told).toEqual([job.id, job.id, job.id, job.id]);
  });

  it('[R6] calls them for each job that has an id of the caller, also when the id is used again', async () => {
    const id = `invoice-of-${backend.name}`;
    for (const n of [1, 2]) {
      const job = await started.jobs.enqueue(task(Failing, 'throws'), { n }, { id });
      expect(job.created).toBe(true);
      await expect(job.result()).rejects.toBeInstanceOf(JobFailedError);
      // The handler may not have run yet: it needs the failed job no more.
      await started.jobs.deadLetters.discard(job.id);
    }
    const jobs = await started.jobs.queue('handlers').getJobs(['delayed', 'prioritized', 'active', 'completed']);
    const ofRef = jobs.filter(({ name, data }) => name === 'by-ref' && data.f === `default_${id}`);
    expect(ofRef).toHaveLength(2);
    for (const job of ofRef) await started.jobs.job(job.id!).result();
    const told = callsOf('by-ref', `default_${id}`).map(({ failure }) => failure.payload);
    expect(told).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it.each([1, 8, 32])('[R6] makes one job for each of many failures, at concurrency %i', async (concurrency) => {
    const { app, jobs, close } = await startJobsApp({
      backend,
      providers: [Failing, Handlers],
      options: { queues: { default: { concurrency }, handlers: { concurrency } } },
    });
    const count = concurrency * sized(5, 2);
    const entries = Array.from({ length: count }, (_, n) => ({ task: task(Failing, 'throws'), payload: { n } }));
    const handles = await jobs.enqueueMany(entries);
    await Promise.all(handles.map((handle) => handle.result().catch(() => {})));
    await Promise.all(handles.map(({ id }) => jobs.job(handlerJobId('by-ref', id)).result()));
    expect(handles.map(({ id }) => callsOf('by-ref', id).length)).toEqual(handles.map(() => 1));
    const stored = await jobs.queue('handlers').getJobCounts();
    expect(Object.values(stored).reduce((sum, each) => sum + each, 0)).toBe(count * 4);
    expect(app.get(JobsRunner).isDraining).toBe(false);
    await close();
  });
});
