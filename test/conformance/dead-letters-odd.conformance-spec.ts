import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  NonRetryableError,
  Task,
  task,
  type DeadLetters,
  type JobsModuleOptions,
  type StandardSchemaV1,
} from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const schema: StandardSchemaV1<{ n: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async (value) => {
      await Parcels.onCheck();
      return { value: value as { n: number } };
    },
  },
};

@Injectable()
class Parcels {
  static onCheck: () => Promise<void> = async () => {};
  static message = 'too heavy';

  @Task({ name: 'parcel.checked', schema })
  checked(_parcel: { n: number }): never {
    throw new NonRetryableError(Parcels.message);
  }

  @Task({ name: 'parcel.plain' })
  plain(_parcel: unknown): never {
    throw new NonRetryableError(Parcels.message);
  }
}

const checked = task(Parcels, 'checked');
const plain = task(Parcels, 'plain');

describe.each(backends)('dead letters on $name, odd and many', (backend) => {
  let app: JobsApp;
  let deadLetters: DeadLetters;
  beforeAll(async () => {
    // So large that two of them may be read together.
    const options: JobsModuleOptions = { payload: { maxSize: '8mb' }, connectTimeout: '10s' };
    app = await startJobsApp({ backend, providers: [Parcels], options });
    deadLetters = app.jobs.deadLetters;
  });
  afterAll(() => app?.close());
  beforeEach(async () => {
    const queue = app.jobs.queue('default');
    // What the test before has redriven fails, too.
    await eventually(async () => (await queue.getJobCountByTypes('wait', 'prioritized', 'active')) === 0);
    await queue.clean(0, 0, 'failed');
    Parcels.onCheck = async () => {};
    Parcels.message = 'too heavy';
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  const failed = async (many: number): Promise<void> => {
    await eventually(async () => (await app.jobs.queue('default').getFailedCount()) === many, { timeout: 30_000 });
  };

  it('[R4] are those too whose error says what the mark of a cancelled job says', async () => {
    for (const message of ['nestjs-jobs:cancelled "by you"', 'nestjs-jobs:cancelled upstream']) {
      Parcels.message = message;
      const job = await app.jobs.enqueue(plain, {});
      await expect(job.result()).rejects.toThrow(message);
      expect(await job.status()).toMatchObject({ state: 'failed', error: { message } });
      expect(await deadLetters.get(job.id)).toMatchObject({ state: 'failed', error: { message } });
    }
    expect((await deadLetters.list()).letters).toHaveLength(2);
  });

  it('[R4] can be read, redriven and discarded beside jobs whose data is no object', async () => {
    const queue = app.jobs.queue('default');
    await queue.add('parcel.plain', null, { jobId: 'default_null' });
    await queue.add('parcel.plain', 'a text', { jobId: 'default_text' });
    const { id } = await app.jobs.enqueue(plain, { n: 1 });
    await failed(3);
    expect((await deadLetters.list()).letters.map((letter) => letter.id).sort()).toEqual(
      ['default_null', 'default_text', id].sort(),
    );
    expect(await deadLetters.count({ redriven: false, task: 'parcel.*' })).toBe(3);
    expect(await deadLetters.count({ tag: 'acme' })).toBe(0);
    expect(await deadLetters.get('default_null')).toMatchObject({ state: 'failed', tags: [] });
    expect(await deadLetters.redriveAll({})).toMatchObject({ matched: 3, refused: 0 });
    expect(await deadLetters.get(id)).toHaveProperty('redrivenAs');
    expect(await deadLetters.discard('default_text')).toBe(true);
  });

  it('[R4] are refused, and counted so, when their schema throws what is no error', async () => {
    const { id } = await app.jobs.enqueue(checked, { n: 1 });
    await failed(1);
    Parcels.onCheck = () => Promise.reject('the schema is ill' as unknown as Error);
    const report = await deadLetters.redriveAll({});
    expect(report).toMatchObject({ matched: 1, redrivenBefore: 0, refused: 1, refusals: [{ id }] });
    expect(report.refusals[0]!.error).toBeInstanceOf(Error);
    await expect(deadLetters.redrive(id)).rejects.toThrow('the schema is ill');
  });

  it('[R4] redriven, may start for as long as they might at first, however long their first check took', async () => {
    const queue = app.jobs.queue('default');
    Parcels.onCheck = async () => {
      Parcels.onCheck = async () => {};
      const begun = Date.now();
      await eventually(() => Date.now() > begun + 50);
    };
    const { id } = await app.jobs.enqueue(checked, { n: 1 }, { expiresIn: '1h', tags: ['acme'] });
    await failed(1);
    const again = await deadLetters.redrive(id);
    const { data, timestamp } = (await queue.getJob(again.id))!;
    expect((data as { x: number }).x - timestamp).toBe(3_600_000);
  });

  it('[R4] are found quickly behind many jobs that were cancelled', async () => {
    const wait = Array.from({ length: 300 }, () => ({ task: plain, payload: {}, options: { delay: '1h' } }));
    const cancelled = await app.jobs.enqueueMany(wait);
    await Promise.all(cancelled.map((job) => job.cancel()));
    await failed(300);
    await app.jobs.enqueue(plain, {});
    await failed(301);
    const page = jest.spyOn(app.app.get<QueueBackend>(QUEUE_BACKEND).failed, 'page');
    expect(await deadLetters.oldestAge()).toBeGreaterThanOrEqual(0);
    expect(await deadLetters.list({ limit: 1 })).toMatchObject({ letters: [{ state: 'failed' }] });
    // Two calls, of each queue one or two pages; one by one it would be hundreds.
    expect(page.mock.calls.length).toBeLessThanOrEqual(8);
  });

  it('[R4] are read and sent a few at a time where payloads may be large', async () => {
    const queue = app.jobs.queue('default');
    await app.jobs.enqueueMany(Array.from({ length: 7 }, (_, n) => ({ task: plain, payload: { n } })));
    await failed(7);
    const getJob = queue.getJob.bind(queue);
    let reading = 0;
    let mostRead = 0;
    jest.spyOn(queue, 'getJob').mockImplementation(async (id) => {
      mostRead = Math.max(mostRead, ++reading);
      return getJob(id).finally(() => reading--);
    });
    const send = jest.spyOn(queue, 'addBulk');
    expect((await deadLetters.list()).letters).toHaveLength(7);
    expect(mostRead).toBe(2);
    expect(await deadLetters.redriveAll({})).toMatchObject({ redriven: 7 });
    expect(mostRead).toBe(2);
    expect(Math.max(...send.mock.calls.map(([jobs]) => jobs.length))).toBe(2);
  });
});
