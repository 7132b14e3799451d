import { Injectable } from '@nestjs/common';
import {
  DeadLetterNotFoundError,
  NonRetryableError,
  Task,
  task,
  type DeadLetters,
  type JobsModuleOptions,
  type StandardSchemaV1,
} from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

interface Letter {
  n: number;
}

/** A schema that does not answer before it is told to, as one that asks a service. */
class SlowSchema implements StandardSchemaV1<Letter> {
  private asked: (() => void) | undefined;
  private answer: Promise<void> = Promise.resolve();

  readonly '~standard': StandardSchemaV1<Letter>['~standard'] = {
    version: 1,
    vendor: 'test',
    validate: async (value: unknown) => {
      const { answer } = this;
      this.asked?.();
      await answer;
      return { value: value as Letter };
    },
  };

  /** The next question waits; those after it do not. */
  hold(): { asked: Promise<void>; release: () => void } {
    let release = (): void => {};
    this.answer = new Promise((resolve) => (release = resolve));
    const asked = new Promise<void>((resolve) => {
      this.asked = () => {
        this.asked = undefined;
        this.answer = Promise.resolve();
        resolve();
      };
    });
    return { asked, release };
  }
}

const schema = new SlowSchema();

@Injectable()
class Post {
  static runs: number[] = [];

  @Task({ name: 'post.checked', schema })
  checked({ n }: Letter): never {
    Post.runs.push(n);
    throw new NonRetryableError(`no such street ${n}`);
  }

  @Task({ name: 'post.plain' })
  plain({ n }: Letter): never {
    Post.runs.push(n);
    throw new NonRetryableError(`no such street ${n}`);
  }
}

/** More than a batch. */
const many = 70;

const checked = task(Post, 'checked');
const plain = task(Post, 'plain');

describe.each(backends)('dead letters on $name, while others have them too', (backend) => {
  const shared: JobsModuleOptions = { namespace: uniqueNamespace(), connectTimeout: '10s' };
  let worker: JobsApp;
  let deadLetters: DeadLetters;
  beforeAll(async () => {
    worker = await startJobsApp({ backend, providers: [Post], options: shared });
    deadLetters = worker.jobs.deadLetters;
  });
  afterAll(() => worker?.close());
  beforeEach(async () => {
    await deadLetters.discardAll({});
    Post.runs = [];
  });
  const fail = async (n: number, id: string): Promise<string> => {
    const job = await worker.jobs.enqueue(checked, { n }, { id });
    await expect(job.result()).rejects.toThrow('no such street');
    return job.id;
  };

  it('[R4] are not redriven that are thrown away while their payload is checked, nor another job of that id', async () => {
    const id = await fail(1, 'letter');
    const check = schema.hold();
    const redriving = deadLetters.redrive(id).catch((error: unknown) => error);
    await check.asked;
    expect(await deadLetters.discard(id)).toBe(true);
    expect(await fail(2, 'letter')).toBe(id);
    check.release();
    expect(await redriving).toBeInstanceOf(DeadLetterNotFoundError);
    expect(await deadLetters.get(id)).not.toHaveProperty('redrivenAs');
    const again = await deadLetters.redrive(id);
    await expect(again.result()).rejects.toThrow('no such street 2');
    expect(Post.runs).toEqual([1, 2, 2]);
  });

  it('[R4] are done again once, though the one that others made is gone when their payload is checked', async () => {
    const id = await fail(1, 'letter');
    const check = schema.hold();
    const slow = deadLetters.redriveAll({});
    await check.asked;
    const again = await deadLetters.redrive(id);
    await expect(again.result()).rejects.toThrow('no such street');
    expect(await deadLetters.discard(again.id)).toBe(true);
    check.release();
    expect(await slow).toMatchObject({ matched: 1, redriven: 0, redrivenBefore: 1 });
    const last = await worker.jobs.enqueue(plain, { n: 9 });
    await expect(last.result()).rejects.toThrow('no such street');
    expect(Post.runs).toEqual([1, 1, 9]);
  });

  it('[R4] are linked only while they are the jobs that were read', async () => {
    const queue = worker.jobs.queue('default');
    const { failed } = worker.app.get<QueueBackend>(QUEUE_BACKEND);
    const jobId = await fail(1, 'letter');
    const at = (await queue.getJob(jobId))!.finishedOn!;
    expect(await failed.link(queue, [{ jobId, at: at - 1, redrivenAs: 'default_a' }])).toEqual(new Set());
    expect(await failed.link(queue, [{ jobId, at, redrivenAs: 'default_b' }])).toEqual(new Set([jobId]));
    expect(await failed.link(queue, [{ jobId, at, redrivenAs: 'default_c' }])).toEqual(new Set());
    expect((await deadLetters.get(jobId)).redrivenAs).toBe('default_b');
  });

  it('[R4] are done again once each when two processes redrive all of them', async () => {
    // Only one process at a time has an embedded store.
    const isAlone = backend.name === 'embedded';
    const other = isAlone ? worker : await startJobsApp({ backend, options: { ...shared, workers: false } });
    try {
      const entries = Array.from({ length: many }, (_, n) => ({ task: plain, payload: { n } }));
      await worker.jobs.enqueueMany(entries);
      await eventually(async () => (await deadLetters.count()) === many, { timeout: 30_000 });
      const filter = { redriven: false };
      const reports = await Promise.all([worker, other].map(({ jobs }) => jobs.deadLetters.redriveAll(filter)));
      expect(reports[0]!.redriven + reports[1]!.redriven).toBe(many);
      await eventually(async () => (await deadLetters.count()) === 2 * many, { timeout: 30_000 });
      expect(await deadLetters.count({ redriven: true })).toBe(many);
      expect(Post.runs).toHaveLength(2 * many);
    } finally {
      if (!isAlone) await other.close();
    }
  }, 120_000);
});
