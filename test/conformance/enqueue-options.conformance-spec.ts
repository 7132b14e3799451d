import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import {
  InvalidEnqueueOptionsError,
  JobCancelledError,
  JobContext,
  JobsService,
  Task,
  task,
  type EnqueueOptions,
  type JobHandle,
  type StandardSchemaV1,
} from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Work } from '../support/work.js';

interface Seen {
  id: string;
  headers: Readonly<Record<string, string>>;
  rootId: string;
  tags: readonly string[];
  children: string[];
}

const patientSchema: StandardSchemaV1<undefined> = {
  '~standard': { version: 1, vendor: 'test', validate: () => sleep(30, { value: undefined }) },
};

@Injectable()
class Family {
  constructor(private readonly jobs: JobsService) {}

  @Task({ schema: patientSchema })
  patient(): void {}

  /** Enqueues as deep as `depth` says: one child by `enqueue`, one by `enqueueMany`. */
  @Task()
  async grow({ depth }: { depth: number }, { id, headers, rootId, tags }: JobContext): Promise<Seen> {
    const children: JobHandle[] = [];
    if (depth > 0) {
      const payload = { depth: depth - 1 };
      children.push(await this.jobs.enqueue(grow, payload, { headers: { depth: `${depth}`, own: 'yes' } }));
      children.push(...(await this.jobs.enqueueMany([{ task: grow, payload }])));
    }
    return { id, headers, rootId, tags, children: children.map((child) => child.id) };
  }
}

const grow = task(Family, 'grow');

describe.each(backends)('options of enqueue on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({
      backend,
      providers: [Work, Family],
      options: { queues: { narrow: {}, single: { concurrency: 1 } }, results: { keepFor: '1h', keepFailedFor: '1h' } },
    });
  });
  afterAll(() => started?.close());

  const seenBy = async (id: string): Promise<Seen> => (await started.jobs.job(id).result()) as Seen;

  it('headers and the root are handed on to every job that is enqueued below', async () => {
    const headers = { tenant: 'acme', depth: 'none', 'x.y-z_1': '"ü"\n' };
    const root = await started.jobs.enqueue(grow, { depth: 2 }, { headers, tags: ['a tag'] });
    const top = await root.result();
    expect(top).toMatchObject({ headers, rootId: root.id, tags: ['a tag'] });
    expect((await root.status()).rootId).toBeUndefined();
    const [child, sibling] = await Promise.all(top.children.map(seenBy));
    expect(child).toMatchObject({ headers: { ...headers, depth: '2', own: 'yes' }, rootId: root.id, tags: [] });
    expect(sibling).toMatchObject({ headers, rootId: root.id });
    const [grandchild, other] = await Promise.all(child!.children.map(seenBy));
    expect(grandchild).toMatchObject({ headers: { ...headers, depth: '1', own: 'yes' }, rootId: root.id });
    expect(other).toMatchObject({ headers: child!.headers, rootId: root.id });
    expect((await started.jobs.job(grandchild!.id).status()).rootId).toBe(root.id);
  });

  it('without headers and outside of tasks nothing is inherited', async () => {
    const job = await started.jobs.enqueue(grow, { depth: 0 });
    expect(await job.result()).toEqual({ id: job.id, headers: {}, rootId: job.id, tags: [], children: [] });
  });

  it('tags are shown in the status, and jobs are found by them', async () => {
    const index = started.app.get<QueueBackend>(QUEUE_BACKEND, { strict: false }).tags;
    const one = await started.jobs.enqueue(task(Work, 'nothing'), undefined, { tags: ['acme', 'eu', 'acme'] });
    expect((await one.status()).tags).toEqual(['acme', 'eu']);
    const options = { tags: ['acme'], queue: 'narrow', delay: '1h' };
    const many = await started.jobs.enqueueMany([
      { task: task(Work, 'nothing'), options },
      { task: task(Work, 'nothing'), options: { tags: ['ünï: \'"*'] } },
      { task: task(Work, 'nothing') },
    ]);
    expect(await index.jobsWith('acme')).toEqual([one.id, many[0].id]);
    expect(await index.jobsWith('eu')).toEqual([one.id]);
    expect(await index.jobsWith('ünï: \'"*')).toEqual([many[1].id]);
    expect(await index.jobsWith('unknown')).toEqual([]);
  });

  it('keepResult: false keeps the job and drops what the task returned', async () => {
    const job = await started.jobs.enqueue(task(Work, 'echo'), 'gone', { keepResult: false });
    expect(await job.result()).toBeNull();
    expect(await job.status()).toMatchObject({ state: 'succeeded', result: null });
  });

  it('expiresIn ends a job that did not start in time as cancelled, and counts from when its time came', async () => {
    const gate = Work.gate('expiry');
    await started.jobs.enqueue(task(Work, 'single'), { name: 'holder', gate: 'expiry' });
    await gate.entered.reached;
    Work.order = [];
    const single = (name: string, options: EnqueueOptions): Promise<JobHandle> =>
      started.jobs.enqueue(task(Work, 'single'), { name }, options);
    const late = await single('late', { expiresIn: 1 });
    const delayed = await single('delayed', { expiresIn: '1h', delay: 1 });
    const never = await single('never', { expiresIn: false });
    const tomorrow = await single('tomorrow', { expiresIn: '1h', delay: '24h' });
    const stored = async (job: JobHandle) => (await started.jobs.queue('single').getJob(job.id))!;
    const [{ data, timestamp }, { data: withoutEnd }] = [await stored(tomorrow), await stored(never)];
    expect((data as { x: number }).x - timestamp).toBeGreaterThan(24.9 * 3_600_000);
    expect(withoutEnd).not.toHaveProperty('x');
    await tomorrow.cancel();
    await eventually(async () => expect(Date.now()).toBeGreaterThan((await stored(late)).data.x as number));
    gate.open.reach();
    await expect(late.result()).rejects.toThrow(JobCancelledError);
    expect(await late.status()).toMatchObject({ state: 'cancelled', reason: 'expired', attempts: [] });
    await Promise.all([delayed.result(), never.result()]);
    expect(Work.order.toSorted()).toEqual(['delayed', 'never']);
  });

  it('runAt is kept to the millisecond, however long the check of the payload takes', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const entry = { task: task(Family, 'patient'), options: { runAt, tags: ['a'] } };
    const jobs = [await started.jobs.enqueue(entry.task, undefined, entry.options)];
    jobs.push(...(await started.jobs.enqueueMany([entry])));
    for (const job of jobs) expect((await job.status()).scheduledFor).toBe(runAt);
  });

  it('[C1] what is no task is refused by its own error', async () => {
    for (const none of [undefined, null, 'Work.echo', Work, { name: 'Work.echo' }]) {
      const refused = started.jobs.enqueue(none as never, undefined as never);
      await expect(refused).rejects.toThrow(InvalidEnqueueOptionsError);
      await expect(refused).rejects.toThrow(/"task" must be a task as task\(Class, 'method'\) gives it, but is/);
    }
  });

  it('[C1] what is no option is refused before anything is sent, also with what is inherited', async () => {
    const before = await started.jobs.queue('default').getJobCounts();
    const wrong: [object, RegExp][] = [
      [{ id: 'a b' }, /"id" must be 1 to 128 letters/],
      [{ priority: 10 }, /"priority".*from 0 to 9, but is 10/],
      [{ delay: -1 }, /"delay".*-1/],
      [{ delay: '1m', runAt: new Date() }, /"runAt" must be absent/],
      [{ tags: [''] }, /"tags\[0\]"/],
      [{ headers: { big: 'x'.repeat(8_200) } }, /"headers" must be.*at most 8192 bytes of JSON, but is 82\d\d/],
    ];
    for (const [options, message] of wrong) {
      const refused = started.jobs.enqueue(task(Work, 'nothing'), undefined, options as EnqueueOptions);
      await expect(refused).rejects.toThrow(InvalidEnqueueOptionsError);
      await expect(refused).rejects.toThrow(message);
    }
    expect(await started.jobs.queue('default').getJobCounts()).toEqual(before);
  });
});
