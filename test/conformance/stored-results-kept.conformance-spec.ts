import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import {
  chain,
  group,
  JobResults,
  NonRetryableError,
  Task,
  task,
  type JobHandle,
  type JobsModuleOptions,
  type ResultReference,
  type ResultStore,
  type ResultStream,
} from 'nestjs-jobs';
import { ResultSweeper } from '../../libs/jobs/src/results/result-sweeper.js';
import { StoredResults } from '../../libs/jobs/src/results/stored-results.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';

const LIMIT = 2_048;
const LARGE = 5_000;
const LONG_QUEUE = `q${'a'.repeat(99)}`;

@Injectable()
class Parts {
  static mayPass = false;

  constructor(private readonly results: JobResults) {}

  @Task()
  bytes(size: number): Buffer {
    return Buffer.alloc(size, 'b');
  }

  @Task()
  text(size: number): { text: string } {
    return { text: 't'.repeat(size) };
  }

  @Task({ retry: { attempts: 1 } })
  length({ text }: { text: string }): number {
    return text.length;
  }

  @Task({ retry: { attempts: 1 } })
  async size(file: ResultReference): Promise<number> {
    if (!Parts.mayPass) throw new NonRetryableError('not yet');
    return (await this.results.open(file).bytes()).length;
  }
}

class MemoryStore implements ResultStore {
  readonly kept = new Map<string, Buffer>();
  removed: string[] = [];
  isSilent = false;

  async write(key: string, body: Readable): ReturnType<ResultStore['write']> {
    const bytes = await buffer(body);
    this.kept.set(key, bytes);
    return { size: bytes.length, sha256: '0'.repeat(64) };
  }

  async read(key: string): Promise<Readable | undefined> {
    if (this.isSilent) return new Promise(() => {});
    return Readable.from([this.kept.get(key)!], { objectMode: false });
  }

  async remove(keys: readonly string[]): Promise<void> {
    if (keys.some((key) => key.includes('_stuck'))) throw new Error('not allowed');
    for (const key of keys) this.kept.delete(key);
    this.removed.push(...keys);
  }

  async list(): ReturnType<ResultStore['list']> {
    return { results: [...this.kept.keys()].map((key) => ({ key, writtenAt: 0 })) };
  }
}

describe.each(backends)('results that others refer to, on $name', (backend) => {
  let directory: string;
  let started: JobsApp;
  const start = (
    store: NonNullable<JobsModuleOptions['results']>['store'],
    logger?: MemoryLogger,
    keepFor: '1h' | '10s' = '1h',
  ): Promise<JobsApp> =>
    startJobsApp({
      backend,
      logger,
      providers: [Parts],
      options: { queues: { [LONG_QUEUE]: {} }, results: { inlineLimit: LIMIT, store, keepFor } },
    });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kept-'));
    started = await start({ files: directory });
  });
  afterAll(async () => {
    await started?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const sweep = ({ app } = started): Promise<number> => app.get(ResultSweeper, { strict: false }).sweep();
  const left = async (id: string): Promise<number> => {
    const { results } = await (await started.app.get(StoredResults, { strict: false }).own()).list();
    return results.filter(({ key }) => key.includes(id)).length;
  };
  /** As if it were not kept any more. */
  const forget = async (id: string, { jobs } = started): Promise<void> => {
    await (await jobs.queue(id.split('_')[0]!).getJob(id))!.remove({ removeChildren: false });
  };

  it('[A5] [C6] are there as long as the group is, however long ago its members ended, and go with it', async () => {
    const all = await started.jobs.start(group([task(Parts, 'bytes').s(1), task(Parts, 'bytes').s(2)]));
    await all.result();
    for (const { id } of all.children) await forget(id);
    expect(await sweep()).toBe(0);
    const streams = await all.result();
    expect((await Promise.all(streams.map((each) => each.bytes()))).map(({ length }) => length)).toEqual([1, 2]);
    await forget(all.id);
    expect(await sweep()).toBe(2);
  });

  it('[A5] [R4] are there for a failed canvas that is redriven', async () => {
    Parts.mayPass = false;
    const failing = await started.jobs.start(chain(task(Parts, 'bytes').s(LARGE), task(Parts, 'size').s()));
    await expect(failing.result()).rejects.toMatchObject({ error: { message: 'not yet' } });
    const first = failing.parent!.id;
    await forget(first);
    expect(await sweep()).toBe(0);
    Parts.mayPass = true;
    const again = await started.jobs.deadLetters.redrive(failing.id);
    expect(await again.result()).toBe(LARGE);
    expect(await left(first)).toBe(1);
  });

  it('[A5] are streams in whatever the result of a group is, and wherever that is kept', async () => {
    const bytes = task(Parts, 'bytes').s(3);
    const few = await started.jobs.start(group([bytes, bytes]));
    const many = await started.jobs.start(group(Array.from({ length: 20 }, () => bytes)));
    const nested = await started.jobs.start(group([group([bytes, bytes]), group([bytes, bytes])]));
    const partial = await started.jobs.start(group([bytes, bytes], { allowPartial: true }));
    const sizes = (list: readonly ResultStream[]): Promise<number[]> =>
      Promise.all(list.map(async (each) => (await each.bytes()).length));
    expect(await sizes(await few.result())).toEqual([3, 3]);
    expect(await sizes(await many.result())).toEqual(Array.from({ length: 20 }, () => 3));
    expect(await many.status()).toHaveProperty('resultRef');
    expect(await sizes((await nested.result()).flat())).toEqual([3, 3, 3, 3]);
    const values = (await partial.result()).map((each) => (each as { value: ResultStream }).value);
    expect(await sizes(values)).toEqual([3, 3]);
  });

  it('[A5] may be of a job with as long an id as there can be', async () => {
    const id = 'i'.repeat(128);
    const job = await started.jobs.enqueue(task(Parts, 'text'), LARGE, { queue: LONG_QUEUE, id });
    expect((await job.result()).text).toHaveLength(LARGE);
    await forget(job.id);
    expect(await sweep()).toBeGreaterThan(0);
    expect(await left(job.id)).toBe(0);
  });

  describe('of a store that does not do as it should', () => {
    let store: MemoryStore;
    let odd: JobsApp;
    let logger: MemoryLogger;
    beforeEach(async () => {
      store = new MemoryStore();
      logger = new MemoryLogger();
      odd = await start(store, logger);
    });
    afterEach(() => odd.close());

    it('[A5] are removed though one of them cannot be, and that is said', async () => {
      const ids = ['stuck', ...Array.from({ length: 60 }, (_, n) => `other-${n}`)];
      const jobs = await Promise.all(ids.map((id) => odd.jobs.enqueue(task(Parts, 'text'), LARGE, { id })));
      await Promise.all(jobs.map((job) => job.result()));
      for (const { id } of jobs) await forget(id, odd);
      expect(await sweep(odd)).toBe(60);
      expect(new Set(store.removed).size).toBe(60);
      expect([...store.kept.keys()]).toEqual([expect.stringContaining('_stuck')]);
      expect(await sweep(odd)).toBe(0);
      expect(logger.text().match(/cannot be removed from results.store: not allowed/g)).toHaveLength(1);
    });

    it('[A5] are swept again after a sweep that never ended', async () => {
      // It sweeps each second.
      const eager = await start(store, logger, '10s');
      const sweeper = eager.app.get(ResultSweeper, { strict: false });
      const { chore } = sweeper as unknown as { chore: { turn: Promise<unknown> } };
      try {
        // The first one has begun, and is to end.
        await chore.turn;
        Object.assign(chore, { longest: 50 });
        let lists = 0;
        store.list = () => {
          lists++;
          return new Promise(() => {});
        };
        await eventually(() => lists > 1, { timeout: 30_000 });
      } finally {
        store.list = async () => ({ results: [] });
        // Closing waits for it, for a while.
        chore.turn = Promise.resolve();
        await eager.close();
      }
    });

    it('[A5] are waited for no longer than result() was told', async () => {
      const job = await odd.jobs.enqueue(task(Parts, 'text'), LARGE);
      await job.result();
      store.isSilent = true;
      await expect(job.result({ timeout: 50 })).rejects.toMatchObject({ name: 'ResultTimeoutError' });
    });

    it('[A5] are not waited for without end by the next step, which holds a slot', async () => {
      store.isSilent = true;
      Object.assign(odd.app.get(StoredResults, { strict: false }), { answersWithin: 50 });
      const job = await odd.jobs.start(chain(task(Parts, 'text').s(LARGE), task(Parts, 'length').s()));
      await expect((job as JobHandle).result()).rejects.toMatchObject({ error: { name: 'ResultStoreError' } });
    });
  });
});
