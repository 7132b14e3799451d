import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import {
  chain,
  chord,
  group,
  Idempotent,
  JobContext,
  JobResults,
  map,
  NonRetryableError,
  ResultGoneError,
  ResultStream,
  Task,
  task,
  withContentType,
  type JobHandle,
  type JobsModuleOptions,
  type ResultReference,
} from 'nestjs-jobs';
import { ResultSweeper } from '../../libs/jobs/src/results/result-sweeper.js';
import { StoredResults } from '../../libs/jobs/src/results/stored-results.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

const LIMIT = 2_048;
const LARGE = 50_000;

const bytesOf = (size: number): Buffer => Buffer.alloc(size, 'The quick brown fox. ');

@Injectable()
class Exports {
  static runs = 0;
  static readonly streams: Readable[] = [];
  static hanging = signal();

  constructor(private readonly results: JobResults) {}

  @Task()
  text(size: number): { text: string } {
    return { text: 'ü'.repeat(size) };
  }

  @Task()
  buffer(size: number): Buffer {
    return bytesOf(size);
  }

  @Task()
  stream(size: number): Readable {
    const stream = Readable.from([bytesOf(size), 'and text']);
    Exports.streams.push(stream);
    return withContentType(stream, 'text/plain; charset=utf-8');
  }

  @Task({ retry: { attempts: 3, delay: 1 } })
  broken({ fails }: { fails: number }, job: JobContext): Readable {
    return Readable.from(
      (async function* () {
        yield bytesOf(LARGE);
        if (job.attempt <= fails) throw new Error(`torn off in attempt ${job.attempt}`);
        yield 'whole';
      })(),
    );
  }

  @Task()
  objects(): Readable {
    return Readable.from([{ an: 'object' }]);
  }

  @Task({ timeLimit: { hard: 400 }, retry: { attempts: 1 } })
  hangs(): Readable {
    const stream = new Readable({ read() {} });
    stream.push(bytesOf(LARGE));
    stream.once('close', () => Exports.hanging.reach());
    return stream;
  }

  @Task()
  @Idempotent<Exports['once']>({ key: ({ key }) => key })
  once({ size }: { key: string; size: number }): Buffer {
    Exports.runs++;
    return bytesOf(size);
  }

  @Task()
  @Idempotent<Exports['onceJson']>({ key: (text) => text })
  onceJson(text: string): string {
    Exports.runs++;
    return text.repeat(LARGE);
  }

  @Task()
  length({ text }: { text: string }): number {
    return text.length;
  }

  @Task()
  async size(file: ResultReference): Promise<number> {
    let size = 0;
    for await (const chunk of this.results.open(file)) size += (chunk as Buffer).length;
    return size;
  }

  @Task()
  lengths(all: { text: string }[]): number[] {
    return all.map(({ text }) => text.length);
  }

  @Task({ retry: { attempts: 1 } })
  fails(_all: { text: string }): void {
    throw new NonRetryableError('no');
  }

  @Task()
  async replaced(size: number, job: JobContext): Promise<{ text: string }> {
    return job.replaceWith(task(Exports, 'text').s(size));
  }
}

describe.each(backends)('results in a store, on $name', (backend) => {
  let directory: string;
  let started: JobsApp;

  const start = (results: JobsModuleOptions['results']): Promise<JobsApp> =>
    startJobsApp({ backend, providers: [Exports], options: { results: { inlineLimit: LIMIT, ...results } } });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stored-results-'));
    started = await start({ store: { files: directory }, maxSize: '1mb' });
  });
  afterAll(async () => {
    await started?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const sweep = ({ app } = started): Promise<number> => app.get(ResultSweeper, { strict: false }).sweep();
  async function keysOf(id: string, { app } = started): Promise<string[]> {
    const { results } = await (await app.get(StoredResults, { strict: false }).own()).list();
    return results.map(({ key }) => key).filter((key) => key.split('/')[1] === id);
  }
  const failureOf = (job: JobHandle): Promise<unknown> =>
    job.result().then(
      () => 'it succeeded',
      (error: unknown) => error,
    );

  it('[A5] [X2] are there for what is larger than results.inlineLimit, and the status refers to them', async () => {
    const job = await started.jobs.enqueue(task(Exports, 'text'), LARGE);
    const json = JSON.stringify({ text: 'ü'.repeat(LARGE) });
    expect(await job.result()).toEqual(JSON.parse(json));
    const { result, resultRef } = await job.status();
    expect(result).toBeUndefined();
    expect(resultRef).toEqual({
      ref: expect.stringContaining(`/default/${job.id}/`),
      size: Buffer.byteLength(json),
      contentType: 'application/json',
      sha256: createHash('sha256').update(json).digest('hex'),
    });
    const small = await started.jobs.enqueue(task(Exports, 'text'), 3);
    expect(await small.result()).toEqual({ text: 'üüü' });
    expect(await small.status()).not.toHaveProperty('resultRef');
    expect(await keysOf(small.id)).toEqual([]);
  });

  it('[A5] are there for a Buffer and a stream of whatever size, and come back as a stream', async () => {
    for (const size of [0, 1, LARGE]) {
      const job = await started.jobs.enqueue(task(Exports, 'buffer'), size);
      const result = await job.result();
      expect(result).toBeInstanceOf(ResultStream);
      expect(result).toMatchObject({ size, contentType: 'application/octet-stream' });
      expect((await result.bytes()).equals(bytesOf(size))).toBe(true);
    }
    const job = await started.jobs.enqueue(task(Exports, 'stream'), LARGE);
    const result = await job.result();
    const whole = Buffer.concat([bytesOf(LARGE), Buffer.from('and text')]);
    expect(JSON.parse(JSON.stringify(result))).toEqual((await job.status()).resultRef);
    expect(result.contentType).toBe('text/plain; charset=utf-8');
    expect(result.sha256).toBe(createHash('sha256').update(whole).digest('hex'));
    expect((await result.bytes()).equals(whole)).toBe(true);
  });

  it('[A5] that are not read hold nothing open, and one that is left early lets go', async () => {
    const job = await started.jobs.enqueue(task(Exports, 'buffer'), LARGE);
    const unread = await job.result();
    unread.destroy();
    let read = 0;
    for await (const chunk of await job.result()) {
      read += (chunk as Buffer).length;
      break;
    }
    expect(read).toBeGreaterThan(0);
    expect(unread.destroyed).toBe(true);
  });

  it('[A5] are not kept with keepResult: false, and the stream is let go', async () => {
    const job = await started.jobs.enqueue(task(Exports, 'stream'), LARGE, { keepResult: false });
    expect(await job.result()).toBeNull();
    expect(Exports.streams.at(-1)!.destroyed).toBe(true);
    expect(await keysOf(job.id)).toEqual([]);
  });

  it('[A5] of a stream that breaks are none: the attempt fails with its error, and the next one may give a whole one', async () => {
    const job = await started.jobs.enqueue(task(Exports, 'broken'), { fails: 1 });
    expect((await (await job.result()).bytes()).toString('utf8')).toMatch(/whole$/);
    const { attempts, resultRef } = await job.status();
    expect(attempts.map(({ error }) => error?.message)).toEqual(['torn off in attempt 1', undefined]);
    expect(await keysOf(job.id)).toEqual([resultRef!.ref.split('/').slice(1).join('/')]);
    const never = await started.jobs.enqueue(task(Exports, 'broken'), { fails: 3 });
    expect(await failureOf(never)).toMatchObject({ error: { message: 'torn off in attempt 3' } });
    expect(await keysOf(never.id)).toEqual([]);
  });

  it('[A5] [X2] larger than results.maxSize fail the job once, and nothing of them is left', async () => {
    const size = 1024 * 1024 + 1;
    for (const [name, payload] of [
      ['buffer', size],
      ['stream', size],
      ['text', size],
    ] as const) {
      const job = await started.jobs.enqueue(task(Exports, name), payload);
      const failure = (await failureOf(job)) as { error: { name: string; message: string } };
      expect(failure.error.name).toBe('ResultTooLargeError');
      expect(failure.error.message).toContain('results.maxSize allows 1048576');
      expect((await job.status()).attempts).toHaveLength(1);
      expect(await keysOf(job.id)).toEqual([]);
    }
    expect(Exports.streams.at(-1)!.destroyed).toBe(true);
  });

  it('[A5] of a stream of objects are refused, once', async () => {
    const job = await started.jobs.enqueue(task(Exports, 'objects'));
    expect(await failureOf(job)).toMatchObject({ error: { name: 'ResultNotSerializableError' } });
    expect((await job.status()).attempts).toHaveLength(1);
  });

  it('[A5] that take too long are cut off with their attempt, and the stream is let go', async () => {
    const job = await started.jobs.enqueue(task(Exports, 'hangs'));
    expect(await failureOf(job)).toMatchObject({ error: { name: 'HardTimeLimitError' } });
    await Exports.hanging.reached;
    await sweep();
    expect(await keysOf(job.id)).toEqual([]);
  });

  describe('of parts of a canvas', () => {
    it('[A5] are the payload of the next step: JSON as it is, a Buffer as what refers to it', async () => {
      const json = await started.jobs.start(chain(task(Exports, 'text').s(LARGE), task(Exports, 'length').s()));
      expect(await json.result()).toBe(LARGE);
      const bytes = await started.jobs.start(chain(task(Exports, 'buffer').s(LARGE), task(Exports, 'size').s()));
      expect(await bytes.result()).toBe(LARGE);
    });

    it('[A5] reach each member of a group, a chord, and a job that is replaced', async () => {
      const fan = await started.jobs.start(
        chain(task(Exports, 'text').s(LARGE), group([task(Exports, 'length').s(), task(Exports, 'length').s()])),
      );
      expect(await fan.result()).toEqual([LARGE, LARGE]);
      const text = task(Exports, 'text');
      const joined = await started.jobs.start(chord([text.s(LARGE), text.s(1)], task(Exports, 'lengths').s()));
      expect(await joined.result()).toEqual([LARGE, 1]);
      const replaced = await started.jobs.enqueue(task(Exports, 'replaced'), LARGE);
      expect((await replaced.result()).text).toHaveLength(LARGE);
    });

    it('[A5] make the result of a group, which is kept in the store itself', async () => {
      const all = await started.jobs.start(
        group([
          task(Exports, 'text').s(LARGE),
          task(Exports, 'buffer').s(LARGE),
          task(Exports, 'length').s({ text: '' }),
        ]),
      );
      const [text, bytes, length] = (await all.result()) as unknown as [{ text: string }, ResultReference, number];
      expect(text.text).toHaveLength(LARGE);
      expect(bytes).toMatchObject({ size: LARGE });
      expect(length).toBe(0);
      expect(await all.status()).toMatchObject({ resultRef: { contentType: 'application/json' } });
      const files = await started.jobs.start(group([task(Exports, 'buffer').s(1), task(Exports, 'buffer').s(2)]));
      const streams = await files.result();
      expect(await Promise.all(streams.map((each) => each.bytes()))).toEqual([bytesOf(1), bytesOf(2)]);
    });

    it('[A5] are left alone until the whole canvas has ended, and go to its links', async () => {
      const linked = task(Exports, 'text').s(LARGE).link(task(Exports, 'length').s());
      const job = await started.jobs.start(chain(linked, task(Exports, 'length').s().set({ delay: '1h' })));
      const first = job.parent!;
      await first.result();
      const [key] = await keysOf(first.id);
      // As if it were not kept any more.
      await (await started.jobs.queue('default').getJob(first.id))!.remove({ removeChildren: false });
      await sweep();
      expect(await keysOf(first.id)).toEqual([key]);
      await job.cancel();
    });
  });

  describe('with an idempotency key', () => {
    it('[I1] are those of the first job for all, also when that is not kept any more', async () => {
      const payload = { key: randomBytes(4).toString('hex'), size: LARGE };
      const before = Exports.runs;
      const first = await started.jobs.enqueue(task(Exports, 'once'), payload);
      await first.result();
      await (await started.jobs.queue('default').getJob(first.id))!.remove();
      await sweep();
      const second = await started.jobs.enqueue(task(Exports, 'once'), payload);
      expect((await (await second.result()).bytes()).equals(bytesOf(LARGE))).toBe(true);
      expect((await second.status()).deduplicatedBy).toBe(first.id);
      expect(Exports.runs - before).toBe(1);
      const mapped = await started.jobs.start(map(task(Exports, 'onceJson'), ['a', 'b', 'a']));
      expect((await mapped.result()).map((each) => each.slice(0, 2))).toEqual(['aa', 'bb', 'aa']);
      expect(Exports.runs - before).toBe(3);
    });
  });

  describe('and the sweeper', () => {
    it('[C6] [A5] removes them with their job, and leaves those of jobs that are kept or have not ended', async () => {
      const [kept, removed] = await Promise.all([1, 2].map(() => started.jobs.enqueue(task(Exports, 'buffer'), LARGE)));
      await Promise.all([kept!.result(), removed!.result()]);
      const { resultRef } = await removed!.status();
      await (await started.jobs.queue('default').getJob(removed!.id))!.remove();
      await sweep();
      expect(await keysOf(kept!.id)).toHaveLength(1);
      expect(await keysOf(removed!.id)).toEqual([]);
      await expect(started.jobs.results.open(resultRef!).bytes()).rejects.toBeInstanceOf(ResultGoneError);
      expect(await sweep()).toBe(0);
    });

    it('[A5] removes what no job refers to: attempts wrote it whose end was not stored', async () => {
      const stored = started.app.get(StoredResults, { strict: false });
      const job = await started.jobs.enqueue(task(Exports, 'buffer'), LARGE);
      await job.result();
      const waiting = await started.jobs.enqueue(task(Exports, 'buffer'), LARGE, { delay: '1h' });
      for (const { id } of [job, waiting]) {
        await stored.write({ id, queue: 'default' }, Readable.from([bytesOf(10)]), { as: 'bytes', contentType: 'a/b' });
      }
      expect(await keysOf(job.id)).toHaveLength(2);
      expect(await sweep()).toBe(1);
      expect((await (await job.result()).bytes()).equals(bytesOf(LARGE))).toBe(true);
      expect(await keysOf(waiting.id)).toHaveLength(1);
      await waiting.cancel();
    });

    it('[A5] leaves alone what others keep in the same place', async () => {
      const other = await start({ store: { files: directory } });
      try {
        const job = await other.jobs.enqueue(task(Exports, 'buffer'), LARGE);
        await job.result();
        await sweep();
        expect(await keysOf(job.id, other)).toHaveLength(1);
        expect((await (await job.result()).bytes()).equals(bytesOf(LARGE))).toBe(true);
      } finally {
        await other.close();
      }
    });
  });

  it('[A5] are refused without a store: binary ones, once', async () => {
    const without = await start({ store: false });
    try {
      for (const name of ['buffer', 'stream'] as const) {
        const job = await without.jobs.enqueue(task(Exports, name), 1);
        const { error } = (await failureOf(job)) as { error: { name: string; message: string } };
        expect(error.name).toBe('ResultNotSerializableError');
        expect(error.message).toContain('needs results.store');
        expect((await job.status()).attempts).toHaveLength(1);
      }
      expect(Exports.streams.at(-1)!.destroyed).toBe(true);
    } finally {
      await without.close();
    }
  });
});
