import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Job, type FlowJob, type FlowProducer } from 'bullmq';
import { JobNotFoundError, OnFailure, Snooze, Task, task, type JobContext, type JobHandle } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { queueOfJobId } from '../../libs/jobs/src/client/job-id.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Deaf {
  static begun = new Map<string, Signal>();
  static open = new Map<string, Signal>();

  static next(key: string): { begun: Signal; open: Signal } {
    const next = { begun: signal(), open: signal() };
    Deaf.begun.set(key, next.begun);
    Deaf.open.set(key, next.open);
    return next;
  }

  static async pass(key: string): Promise<void> {
    Deaf.begun.get(key)!.reach();
    await Deaf.open.get(key)!.reached;
  }

  @Task({ name: 'deaf.retries', retry: { attempts: 2, delay: '1h', maxDelay: '1h', jitter: 'none' } })
  async retries({ key }: { key: string }): Promise<void> {
    await Deaf.pass(key);
    throw new Error('tried again in an hour');
  }

  @Task({ name: 'deaf.snoozes' })
  async snoozes({ key }: { key: string }): Promise<void> {
    await Deaf.pass(key);
    throw new Snooze('1h');
  }

  @Task({ name: 'deaf.fails', retry: { attempts: 1 } })
  async fails(_payload: void, job: JobContext): Promise<void> {
    await Deaf.pass(job.id);
    throw new Error('failed by itself');
  }

  @Task({ name: 'deaf.once', retry: { attempts: 1 } })
  once(): void {}

  @OnFailure()
  onFailure(): void {}
}

const HOUR = 3_600_000;
/** More than what BullMQ is asked for at once on Redis. */
const MANY = 700;

describe.each(backends)('cancelling odd jobs on $name', (backend) => {
  let started: JobsApp;
  let store: QueueBackend;
  let flows: FlowProducer;
  beforeAll(async () => {
    const options = {
      queues: { default: {}, many: { concurrency: 20 }, unserved: {} },
      workers: { except: ['unserved'] },
      results: { keepFor: '1s', keepFailedFor: '1h' },
    };
    started = await startJobsApp({ backend, providers: [Deaf], options });
    store = started.app.get<QueueBackend>(QUEUE_BACKEND);
    flows = store.createFlowProducer();
  });
  afterAll(async () => {
    await flows?.close();
    await started?.close();
  });

  /** Its end as BullMQ has it: that of a status may be ahead of it. */
  async function ended(id: string): Promise<JobHandle> {
    const queue = started.jobs.queue(queueOfJobId(id)!);
    await eventually(async () => expect((await queue.getJob(id))?.finishedOn).toEqual(expect.any(Number)));
    return started.jobs.job(id);
  }

  function member(name: string, id: string, opts: object = {}): FlowJob {
    return { name, queueName: queueOfJobId(id)!, data: {}, opts: { jobId: id, ...opts } };
  }

  it.each(['retries', 'snoozes'] as const)(
    '[A6] ends at once what %s when it is asked, and has not heard of it',
    async (method) => {
      const publish = jest.spyOn(store.messages, 'publish').mockResolvedValue();
      const { begun, open } = Deaf.next(method);
      const job = await started.jobs.enqueue(task(Deaf, method), { key: method });
      await begun.reached;
      expect(await job.cancel({ reason: 'unheard' })).toBe(true);
      publish.mockRestore();
      open.reach();
      expect(await (await ended(job.id)).status()).toMatchObject({ state: 'cancelled', reason: 'unheard' });
    },
  );

  it('[A6] stays cancelled when a child fails afterwards that takes it along', async () => {
    const [parent, child] = ['default_cancelled-first', 'default_fails-later'];
    const { begun, open } = Deaf.next(child);
    const children = [member('deaf.fails', child, { failParentOnFailure: true })];
    await flows.add({ ...member('deaf.once', parent), children });
    await begun.reached;
    expect(await started.jobs.job(parent).cancel({ reason: 'by itself' })).toBe(true);
    expect(await started.jobs.job(parent).status()).toMatchObject({ state: 'cancelled', reason: 'by itself' });
    open.reach();
    expect(await (await ended(child)).status()).toMatchObject({ state: 'failed' });
    expect(await (await ended(parent)).status()).toMatchObject({ state: 'cancelled', reason: 'by itself' });
    expect(await started.jobs.deadLetters.count({ task: 'deaf.once' })).toBe(0);
  });

  it('[A6] cancels what is to fail along with a child and has not yet', async () => {
    const [parent, child] = ['unserved_fails-along', 'default_failed-before'];
    Deaf.next(child).open.reach();
    const children = [member('deaf.fails', child, { failParentOnFailure: true })];
    await flows.add({ ...member('deaf.once', parent), children });
    await ended(child);
    const job = started.jobs.job(parent);
    expect(await job.status()).toMatchObject({ state: 'pending' });
    expect(await job.cancel({ reason: 'before it failed' })).toBe(true);
    expect(await job.status()).toMatchObject({ state: 'cancelled', reason: 'before it failed' });
  });

  it('[A6] calls no parent cancelled that another child may still fail', async () => {
    const [parent, cancelled, fails] = ['unserved_of-two', 'default_is-cancelled', 'default_fails-after-it'];
    const { begun, open } = Deaf.next(fails);
    const children = [
      member('deaf.once', cancelled, { delay: HOUR, failParentOnFailure: true }),
      member('deaf.fails', fails, { failParentOnFailure: true }),
    ];
    await flows.add({ ...member('deaf.once', parent), children });
    await begun.reached;
    expect(await started.jobs.job(cancelled).cancel()).toBe(true);
    await ended(cancelled);
    expect(await started.jobs.job(parent).status()).toMatchObject({ state: 'pending', terminal: false });
    open.reach();
    await ended(fails);
    expect(await started.jobs.job(parent).status()).toMatchObject({ state: 'pending', terminal: false });
  });

  it(`[A6] misses none of ${MANY} children, although they end meanwhile`, async () => {
    const ids = Array.from({ length: MANY }, (_, n) => `many_child-${n}`);
    const children = ids.map((id) => member('deaf.once', id, { delay: HOUR, ignoreDependencyOnFailure: true }));
    await flows.add({ ...member('deaf.once', 'default_of-many'), children });
    expect(await started.jobs.job('default_of-many').cancel({ flow: true })).toBe(true);
    const states = new Set<string>();
    for (const id of ids) states.add((await started.jobs.job(id).status()).state);
    expect([...states]).toEqual(['cancelled']);
  }, 60_000);

  it('[A6] ends as cancelled when the store refuses to hear of it at first', async () => {
    const job = await started.jobs.enqueue(task(Deaf, 'once'), undefined, { delay: HOUR });
    const refused = signal();
    const moveToFailed = jest.spyOn(Job.prototype, 'moveToFailed').mockImplementationOnce(async () => {
      refused.reach();
      throw new Error('OOM command not allowed');
    });
    expect(await job.cancel({ reason: 'refused once' })).toBe(true);
    await refused.reached;
    expect(await (await ended(job.id)).status()).toMatchObject({ state: 'cancelled', reason: 'refused once' });
    moveToFailed.mockRestore();
  });

  it('[A6] of an ended job that is not kept any more is an error, as its status is', async () => {
    const job = await started.jobs.enqueue(task(Deaf, 'once'));
    await job.result();
    await eventually(async () => expect(job.status()).rejects.toBeInstanceOf(JobNotFoundError));
    await expect(job.cancel()).rejects.toBeInstanceOf(JobNotFoundError);
  });
});
