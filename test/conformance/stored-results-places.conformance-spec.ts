import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { ResultStoreError, Task, task, type JobsModuleOptions, type ResultStore } from 'nestjs-jobs';
import { ResultSweeper } from '../../libs/jobs/src/results/result-sweeper.js';
import { backends, embeddedIn, type TestBackend } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { s3ClientOf } from '../support/opened-store.js';
import { S3_CREDENTIALS, startS3Server, type S3Server } from '../support/s3-server.js';

const BYTES = Buffer.alloc(6 * 1024 * 1024 + 3, 'result ');

@Injectable()
class Exports {
  @Task()
  stream(): Readable {
    return Readable.from([BYTES.subarray(0, 1_000), BYTES.subarray(1_000)]);
  }

  @Task({ retry: { attempts: 2, delay: 1 } })
  json(size: number): string {
    return 'x'.repeat(size);
  }
}

/** A store of an app's own. */
class MemoryStore implements ResultStore {
  readonly kept = new Map<string, Buffer>();
  failures = 0;

  async write(key: string, body: Readable): Promise<{ size: number; sha256: string }> {
    const bytes = await buffer(body);
    if (this.failures-- > 0) throw new Error('the store is away');
    this.kept.set(key, bytes);
    return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  }

  async read(key: string, range?: { start: number; end: number }): Promise<Readable | undefined> {
    const bytes = this.kept.get(key);
    return bytes && Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes], { objectMode: false });
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.kept.delete(key);
  }

  async list(): Promise<{ results: { key: string; writtenAt: number }[] }> {
    return { results: [...this.kept.keys()].map((key) => ({ key, writtenAt: Date.now() })) };
  }
}

describe.each(backends)('results.store on $name', (backend) => {
  let started: JobsApp | undefined;
  let s3: S3Server;
  beforeAll(async () => {
    s3 = await startS3Server();
  });
  afterAll(() => s3?.stop());
  afterEach(async () => {
    await started?.close();
    started = undefined;
  });

  async function start(
    store: NonNullable<JobsModuleOptions['results']>['store'],
    options: JobsModuleOptions = {},
  ): Promise<JobsApp> {
    const results = store === undefined ? {} : { results: { store } };
    started = await startJobsApp({ backend, providers: [Exports], options: { ...results, ...options } });
    return started;
  }

  async function holds({ jobs, app }: JobsApp): Promise<void> {
    const [bytes, json] = [
      await jobs.enqueue(task(Exports, 'stream')),
      await jobs.enqueue(task(Exports, 'json'), 100_000),
    ];
    expect((await (await bytes.result()).bytes()).equals(BYTES)).toBe(true);
    expect(await json.result()).toBe('x'.repeat(100_000));
    const { resultRef } = await bytes.status();
    await (await jobs.queue('default').getJob(bytes.id))!.remove();
    await app.get(ResultSweeper, { strict: false }).sweep();
    await expect(jobs.results.open(resultRef!).bytes()).rejects.toMatchObject({ name: 'ResultGoneError' });
    expect(await json.result()).toBe('x'.repeat(100_000));
  }

  it('[A5] takes a bucket of an S3-compatible store', async () => {
    const { endpoint, bucket } = s3;
    const client = s3ClientOf({ kind: 's3', endpoint, bucket, credentials: S3_CREDENTIALS });
    await holds(await start({ s3: { bucket, client } }));
    client.destroy();
  });

  if (backend.name !== 'redis') {
    it('[A5] takes a table beside the jobs', async () => {
      await holds(await start('table'));
    });
  } else {
    it('[A5] takes no table on Redis: the boot stops', async () => {
      await expect(start('table')).rejects.toThrow("must be another store than 'table' on Redis");
    });
  }

  it('[A5] takes a store of the app, of which several apps have a part each', async () => {
    const store = new MemoryStore();
    await holds(await start(store));
    expect([...store.kept.keys()]).toEqual([expect.stringMatching(/^[0-9a-f]{16}-default\/default_[^/]+\/[^/]+$/)]);
  });

  it('[A5] that fails makes the attempt fail, and the next one may succeed', async () => {
    const store = new MemoryStore();
    store.failures = 1;
    const { jobs } = await start(store);
    const job = await jobs.enqueue(task(Exports, 'json'), 100_000);
    expect(await job.result()).toHaveLength(100_000);
    const { attempts } = await job.status();
    expect(attempts[0]!.error).toMatchObject({ name: 'ResultStoreError' });
    expect(attempts[0]!.error!.message).toMatch(
      /writing the result of job .* to results.store failed: the store is away/,
    );
    expect(attempts).toHaveLength(2);
    store.read = () => Promise.reject(new Error('the store is away'));
    await expect(job.result()).rejects.toBeInstanceOf(ResultStoreError);
  });

  it('[A5] is a directory of its own by default, which git does not see', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'default-results-'));
    const cwd = process.cwd();
    process.chdir(directory);
    try {
      const app = await start(undefined, ownDirectory(backend, directory));
      const job = await app.jobs.enqueue(task(Exports, 'json'), 100_000);
      expect(await job.result()).toHaveLength(100_000);
      const results = join(directory, backend.name === 'embedded' ? 'data' : '.jobs', 'results');
      expect((await readdir(results)).sort()).toEqual(['.gitignore', expect.stringMatching(/^[0-9a-f]{16}$/)]);
      expect((await stat(results)).mode & 0o077).toBe(0);
      await app.close();
      started = undefined;
    } finally {
      process.chdir(cwd);
      await rm(directory, { recursive: true, force: true });
    }
  });
});

function ownDirectory({ name }: TestBackend, directory: string): JobsModuleOptions {
  return name === 'embedded' ? { connection: embeddedIn(join(directory, 'data')) } : {};
}
