import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import {
  chain,
  Idempotent,
  map,
  Task,
  task,
  taskContract,
  type JobHandle,
  type JobsModuleOptions,
  type ResultReference,
  type ResultStore,
} from 'nestjs-jobs';
import { z } from 'zod';
import { JobReader } from '../../libs/jobs/src/client/job-reader.js';
import { StoredResults } from '../../libs/jobs/src/results/stored-results.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

const refused = taskContract('streams.refused', { output: z.promise(z.number()) });

@Injectable()
class Streams {
  static made: Readable[] = [];
  static mayReturn = signal();

  private static add<Stream extends Readable>(stream: Stream): Stream {
    this.made.push(stream);
    return stream;
  }

  private static missing(): Readable {
    return this.add(createReadStream('/nowhere/at/all'));
  }

  private static endless(): Readable {
    return this.add(new Readable({ read: () => {} }));
  }

  @Task({ retry: { attempts: 1 } })
  endless(): Readable {
    return Streams.endless();
  }

  @Task({ retry: { attempts: 1 } })
  nested(): unknown {
    return { files: [{ rows: Streams.missing() }, Streams.endless()] };
  }

  @Task({ retry: { attempts: 1 } })
  each(_item: number): Readable {
    return Streams.missing();
  }

  @Task(refused)
  refused(): never {
    return Streams.missing() as never;
  }

  @Task({ retry: { attempts: 1 }, timeLimit: { hard: 200 } })
  @Idempotent<Streams['late']>({ key: (key) => key })
  async late(kind: string): Promise<unknown> {
    await Streams.mayReturn.reached;
    return kind === 'stream' ? Streams.endless() : Streams.add(Readable.from([])) && Buffer.alloc(10);
  }

  @Task({ retry: { attempts: 1 } })
  big(): Readable {
    return Streams.add(Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(100_000))));
  }

  @Task()
  opens(_file: ResultReference): void {}
}

/** Takes some of what it is given. */
class FullStore implements ResultStore {
  constructor(private readonly how: 'a pipeline' | 'a loop') {}

  async write(_key: string, body: Readable): Promise<never> {
    let chunks = 0;
    const take = (): void => {
      if (++chunks === 3) throw new Error('the disk is full');
    };
    if (this.how === 'a loop') for await (const _ of body) take();
    const write = (_chunk: unknown, _encoding: unknown, done: (error?: Error) => void): void => {
      try {
        take();
        done();
      } catch (error) {
        done(error as Error);
      }
    };
    await pipeline(body, new Writable({ write }));
    throw new Error('it ended before');
  }

  async read(): Promise<undefined> {}
  async remove(): Promise<void> {}
  async list(): ReturnType<ResultStore['list']> {
    return { results: [] };
  }
}

describe.each(backends)('streams that become no result, on $name', (backend) => {
  let directory: string;
  let started: JobsApp;
  const start = (store: NonNullable<JobsModuleOptions['results']>['store']): Promise<JobsApp> =>
    startJobsApp({ backend, providers: [Streams], options: { results: { store } } });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'streams-'));
    started = await start({ files: directory });
  });
  beforeEach(() => {
    Streams.made = [];
    Streams.mayReturn = signal();
  });
  afterAll(async () => {
    await started?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const errorOf = (job: JobHandle): Promise<unknown> =>
    job.result().then(
      () => 'it succeeded',
      ({ error }: { error: unknown }) => error,
    );
  const areLetGo = async (count: number): Promise<void> => {
    await eventually(() => Streams.made.length === count && Streams.made.every(({ destroyed }) => destroyed));
  };
  const keysOf = async (id: string): Promise<string[]> => {
    const { results } = await (await started.app.get(StoredResults, { strict: false }).own()).list();
    return results.map(({ key }) => key).filter((key) => key.includes(id));
  };

  // A stream of a file that is not there fails a moment later: with nobody who listens, that ends the process.
  it('[A5] [X2] are let go where they stand in JSON, are those of items or are refused by a contract', async () => {
    const nested = await started.jobs.enqueue(task(Streams, 'nested'));
    expect(await errorOf(nested)).toMatchObject({ name: 'ResultNotSerializableError' });
    await areLetGo(2);
    const mapped = await started.jobs.start(map(task(Streams, 'each'), [1, 2]));
    expect(await errorOf(mapped as JobHandle)).toMatchObject({ name: 'ResultNotSerializableError' });
    await areLetGo(4);
    const job = await started.jobs.enqueue(refused);
    expect(await errorOf(job)).toMatchObject({ name: 'ResultInvalidError' });
    await areLetGo(5);
  });

  it('[A5] [C3] [I1] are let go when their attempt was cut off before they were there, and nothing is written', async () => {
    for (const kind of ['stream', 'bytes']) {
      Streams.mayReturn = signal();
      const job = await started.jobs.enqueue(task(Streams, 'late'), kind);
      expect(await errorOf(job)).toMatchObject({ name: 'HardTimeLimitError' });
      Streams.mayReturn.reach();
      await eventually(() => Streams.made.length === (kind === 'stream' ? 1 : 2));
      // Whoever has the key next waits until the code of the one before has let go of it.
      const next = await started.jobs.enqueue(task(Streams, 'late'), kind);
      await errorOf(next);
      expect(await keysOf(job.id)).toEqual([]);
    }
    await eventually(() => Streams.made[0]!.destroyed);
  });

  it('[A5] are let go when it cannot be found out whose they are', async () => {
    const reader = started.app.get(JobReader, { strict: false });
    const find = reader.find.bind(reader);
    reader.find = async (queue, id) => {
      if (Streams.made.length > 0) throw new Error('the store of jobs is away');
      return find(queue, id);
    };
    try {
      const job = await started.jobs.start(chain(task(Streams, 'endless').s(), task(Streams, 'opens').s()));
      await areLetGo(1);
      reader.find = find;
      expect(await errorOf(job as JobHandle)).toMatchObject({ message: 'the store of jobs is away' });
    } finally {
      reader.find = find;
    }
  });

  it.each(['a pipeline', 'a loop'] as const)(
    '[A5] fail with what went wrong in the store, where that reads them in %s',
    async (how) => {
      const full = await start(new FullStore(how));
      try {
        const error = await errorOf(await full.jobs.enqueue(task(Streams, 'big')));
        expect(error).toMatchObject({ name: 'ResultStoreError', cause: { message: 'the disk is full' } });
        await areLetGo(1);
      } finally {
        await full.close();
      }
    },
  );
});
