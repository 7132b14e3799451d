import { Redis } from 'ioredis';
import { BackendUnavailableError, EnqueueManyError, JobNotFoundError, Task, task, type JobsService } from 'nestjs-jobs';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import { JobReader } from '../../libs/jobs/src/client/job-reader.js';
import { JobSender } from '../../libs/jobs/src/client/job-sender.js';
import type { PreparedJob } from '../../libs/jobs/src/client/prepared-job.js';
import { Queues } from '../../libs/jobs/src/client/queues.js';
import { JobEvents } from '../../libs/jobs/src/events/job-events.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, redisUrl, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { freePort } from '../support/services/free-port.mjs';
import { startRedis } from '../support/services/redis.mjs';

class Numbers {
  @Task()
  double(n: number): number {
    return n * 2;
  }

  @Task()
  keep(_text: string): void {}
}

const QUEUES = ['default', 'narrow', 'single'];
const double = task(Numbers, 'double');

/** An app that only enqueues, so that what it stored stays where it is. */
function startProducer(url: string, connectTimeout = '10s'): Promise<JobsApp> {
  return startJobsApp({
    backend: { name: 'redis', connection: () => url },
    options: { workers: false, queues: { narrow: {}, single: {} }, payload: { maxSize: '1mb' }, connectTimeout },
  });
}

async function stored(jobs: JobsService): Promise<Record<string, number>> {
  const counts = await Promise.all(QUEUES.map((name) => jobs.queue(name).getJobCounts()));
  const sums = counts.map((each) => Object.values(each).reduce((sum, n) => sum + n, 0));
  return Object.fromEntries(QUEUES.map((name, n) => [name, sums[n]!]));
}

async function failureOf(enqueued: Promise<unknown>): Promise<EnqueueManyError> {
  const error = await enqueued.catch((reason: unknown) => reason);
  if (!(error instanceof EnqueueManyError)) throw new Error('rejected otherwise or not at all', { cause: error });
  return error;
}

describe.each(backends)('jobs that $name refuses', (backend) => {
  it('are told from those that it stored, one by one', async () => {
    const options = resolveOptions({ connection: backend.connection()!, namespace: uniqueNamespace() });
    const store = await openBackend(options, new MemoryLogger());
    const queues = new Queues(store, options);
    const prepared = (id: string, p: string, parent?: { id: string; queue: string }): PreparedJob => {
      const queue = id.split('_')[0]!;
      const opts = { jobId: id, ...(parent && { parent }) };
      return { id, queue, name: 'x', data: { p }, opts, start: { state: 'pending', delay: 0 } };
    };
    // Redis refuses a job whose parent is not there, by a number in place of its id; SQL the character U+0000, and with
    // it all jobs of the statement. The client lets neither through.
    const sent = [
      prepared('default_1', 'fine'),
      prepared('narrow_1', 'fine'),
      prepared('default_2', 'orphan', { id: 'absent', queue: queues.get('default').qualifiedName }),
      prepared('default_3', '\u0000'),
    ];
    const reader = new JobReader(queues, store, options);
    const times = { connectTimeout: 10_000, keepFor: 1_000, taggedFor: 1_000 };
    const sender = new JobSender(queues, store, reader, new JobEvents(), times);
    const refusals = await sender.sendMany(sent, undefined);
    const states = await Promise.all(sent.map(({ id, queue }) => queues.get(queue).getJobState(id)));
    expect(refusals.map((refusal) => refusal instanceof Error)).toEqual(states.map((state) => state === 'unknown'));
    expect(states[1]).toBe('waiting');
    expect(states[2]).toBe('unknown');
    await queues.close(10_000);
    await store.close(10_000);
  });
});

const describeRedis = (tests: () => void): void => {
  // A run for another backend has nothing to do here.
  if (backends.some(({ name }) => name === 'redis')) describe('enqueueMany on a Redis that refuses jobs', tests);
};

describeRedis(() => {
  let producer: JobsApp;
  let jobs: JobsService;
  let client: Redis;
  beforeAll(async () => {
    producer = await startProducer(redisUrl());
    ({ jobs } = producer);
    client = new Redis(redisUrl());
  });
  afterAll(async () => {
    await producer?.close();
    client?.disconnect();
  });

  /** BullMQ counts it up for a job that may run at once, and only for one; Redis refuses to count a list up. */
  async function breakCounterOf(queue: string): Promise<string> {
    const counter = jobs.queue(queue).toKey('pc');
    await client.rpush(counter, 'not a number');
    return counter;
  }

  it('says which of one batch were stored and which not, so that the rest can be enqueued again', async () => {
    const counter = await breakCounterOf('default');
    const entries = [0, 1, 2, 3, 4].map((n) => ({
      task: double,
      payload: n,
      options: { queue: n === 4 ? 'narrow' : 'default', delay: n % 2 === 0 ? '1h' : 0 },
    }));
    const error = await failureOf(jobs.enqueueMany(entries));
    expect(error.message).toMatch(/2 of 5 jobs were not enqueued; the first of them is entries\[1\]: .*WRONGTYPE/);
    expect(error.failed).toEqual([1, 3].map((index) => ({ index, error: error.cause })));
    expect(error.enqueued.map(({ id }) => id.split('_')[0])).toEqual(['default', 'default', 'narrow']);
    for (const job of error.enqueued) expect((await job.status()).state).toBe('scheduled');
    expect(await stored(jobs)).toEqual({ default: 2, narrow: 1, single: 0 });
    await client.del(counter);
    const again = await jobs.enqueueMany(error.failed.map(({ index }) => entries[index]!));
    for (const job of again) expect((await job.status()).state).toBe('pending');
    expect(await stored(jobs)).toEqual({ default: 4, narrow: 1, single: 0 });
  });

  it('says so when all are refused, and takes what a refused job left behind for no job', async () => {
    const counter = await breakCounterOf('single');
    const entries = [1, 2].map((payload) => ({ task: double, payload, options: { queue: 'single' } }));
    const error = await failureOf(jobs.enqueueMany(entries));
    expect(error.enqueued).toEqual([]);
    expect(error.failed.map(({ index }) => index)).toEqual([0, 1]);
    const left = (await client.keys(jobs.queue('single').toKey('single_*'))).map((key) => key.split(':').at(-1)!);
    expect(left).toHaveLength(2);
    for (const id of left) await expect(jobs.job(id).status()).rejects.toThrow(JobNotFoundError);
    expect((await stored(jobs))['single']).toBe(0);
    await client.del(counter);
  });

  it('takes what a refused job left behind for no job of its id either', async () => {
    const counter = await breakCounterOf('single');
    const options = { id: 'left', queue: 'single' };
    await expect(jobs.enqueue(double, 1, options)).rejects.toThrow('WRONGTYPE');
    expect(await client.exists(jobs.queue('single').toKey('single_left'))).toBe(1);
    await client.del(counter);
    const [first, second] = await Promise.all([jobs.enqueue(double, 2, options), jobs.enqueue(double, 3, options)]);
    expect([first, second].filter(({ created }) => created)).toHaveLength(1);
    expect((await first.status()).state).toBe('pending');
    expect((await stored(jobs))['single']).toBe(1);
    expect(await jobs.purge('single')).toBe(1);
  });

  it('does not guess when it cannot read what was stored', async () => {
    const delayed = jobs.queue('single').toKey('delayed');
    await client.set(delayed, 'no sorted set');
    const entries = [1, 2].map((payload) => ({ task: double, payload, options: { queue: 'single', delay: payload } }));
    const refused = jobs.enqueueMany(entries);
    await expect(refused).rejects.toThrow(BackendUnavailableError);
    await expect(refused).rejects.toThrow('WRONGTYPE');
    await client.del(delayed);
  });

  it('loses no job of a batch that fills the memory', async () => {
    const redis = await startRedis();
    const full = await startProducer(redis.url);
    const admin = new Redis(redis.url);
    const entries = Array.from({ length: 40 }, () => ({ task: task(Numbers, 'keep'), payload: 'x'.repeat(500_000) }));
    // The first job also makes the queue and loads BullMQ's script.
    await full.jobs.enqueueMany([{ task: double, payload: 0 }]);
    const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))![1]);
    await admin.config('SET', 'maxmemory', used + 8_000_000);
    const error = await failureOf(full.jobs.enqueueMany(entries));
    expect(error.message).toContain('OOM command not allowed');
    const failed = error.failed.map(({ index }) => index);
    expect(failed.at(-1)).toBe(39);
    expect(error.enqueued.length).toBeGreaterThan(0);
    expect(error.enqueued.length + failed.length).toBe(40);
    expect((await stored(full.jobs))['default']).toBe(error.enqueued.length + 1);
    await admin.config('SET', 'maxmemory', 0);
    const again = await full.jobs.enqueueMany(failed.map((index) => entries[index]!));
    const statuses = await full.jobs.statuses([...error.enqueued, ...again].map(({ id }) => id));
    expect(Object.values(statuses).map((status) => status?.state)).toEqual(Array(40).fill('pending'));
    admin.disconnect();
    await full.close();
    await redis.stop();
  });

  it('waits once for a Redis that falls silent after it took the jobs, however many ids are to be looked up', async () => {
    const proxy = await TcpProxy.to(Number(new URL(redisUrl()).port));
    const connectTimeout = 2_000;
    const silent = await startProducer(`redis://127.0.0.1:${proxy.port}`, `${connectTimeout}ms`);
    await eventually(() => silent.jobs.enqueueMany([{ task: double, payload: 0, options: { id: 'warm' } }]));
    const timeToFail = async (count: number): Promise<number> => {
      let fellSilent = false;
      // The first thing that is read of a job that was added.
      proxy.cutWhen = (data) => {
        if (data.includes('hgetall')) proxy.freeze();
        fellSilent ||= data.includes('hgetall');
        return false;
      };
      const entries = Array.from({ length: count }, (_, n) => ({
        task: double,
        payload: n,
        options: { id: `${count}-${n}` },
      }));
      const begin = Date.now();
      await expect(silent.jobs.enqueueMany(entries)).rejects.toThrow(BackendUnavailableError);
      const took = Date.now() - begin;
      expect(fellSilent).toBe(true);
      proxy.cutWhen = undefined;
      proxy.thaw();
      await eventually(() => silent.jobs.enqueueMany([{ task: double, payload: 0, options: { id: 'warm' } }]));
      return took;
    };
    const one = await timeToFail(1);
    expect(await timeToFail(500)).toBeLessThan(one + 2 * connectTimeout);
    await silent.close();
    await proxy.close();
  });

  it('rejects as enqueue does when Redis is away, and leaves nothing behind', async () => {
    const port = await freePort();
    const away = await startProducer(`redis://127.0.0.1:${port}`, '300ms');
    const entries = QUEUES.map((queue, payload) => ({ task: double, payload, options: { queue } }));
    await expect(away.jobs.enqueueMany(entries)).rejects.toThrow(BackendUnavailableError);
    const redis = await startRedis({ port });
    await eventually(() => away.jobs.enqueueMany([entries[0]!]));
    expect(await stored(away.jobs)).toEqual({ default: 1, narrow: 0, single: 0 });
    await away.close();
    await redis.stop();
  });
});
