import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { FileResultStore } from '../../libs/jobs/src/results/file-result-store.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp } from '../support/jobs-app.js';
import { openStore, type OpenedStore } from '../support/opened-store.js';
import {
  bodyOf,
  HeldBody,
  keysOf,
  newJob,
  randomBody,
  testStores,
  writtenOf,
  type TestPlace,
} from '../support/result-stores.js';
import { S3_CREDENTIALS, startS3Server, type S3Server } from '../support/s3-server.js';

const TYPE = 'application/octet-stream';
const SEVERAL_PARTS = 11 * 1024 * 1024 + 7;

describe('results in files', () => {
  let made: TestPlace;
  let directory: string;
  let store: FileResultStore;
  beforeEach(async () => {
    made = await testStores.find(({ name }) => name === 'files')!.make();
    ({ directory } = made.place as { directory: string });
    store = new FileResultStore(directory);
  });
  afterEach(() => made.remove());

  it('[A5] are for nobody but the user of the processes', async () => {
    const [queue, job] = newJob().split('/') as [string, string];
    const bodies = [new HeldBody(), bodyOf(randomBody(10))] as const;
    const unfinished = store.write(`${queue}/${job}/unfinished`, bodies[0], TYPE);
    await store.write(`${queue}/${job}/result`, bodies[1], TYPE);
    await eventually(async () => expect(await readdir(join(directory, queue, job))).toHaveLength(2));
    const directories = [directory, join(directory, queue), join(directory, queue, job)];
    const files = (await readdir(directories[2]!)).map((name) => join(directories[2]!, name));
    const modesOf = (paths: string[]): Promise<number[]> =>
      Promise.all(paths.map(async (path) => (await stat(path)).mode & 0o777));
    expect(await modesOf(directories)).toEqual([0o700, 0o700, 0o700]);
    expect(await modesOf(files)).toEqual([0o600, 0o600]);
    bodies[0].push(null);
    await unfinished;
  });

  it('[A5] are written while other processes remove the directory of their job again and again', async () => {
    const [queue, job] = newJob().split('/') as [string, string];
    let isOver = false;
    const others = Array.from({ length: 4 }, async () => {
      const other = new FileResultStore(directory);
      while (!isOver) await other.remove([`${queue}/${job}/never`]);
    });
    const writing = (async () => {
      for (let n = 0; n < 40; n++) {
        const key = `${queue}/${job}/${n}`;
        await store.write(key, bodyOf(randomBody(10)), TYPE);
        await store.remove([key]);
      }
    })();
    await writing.finally(() => (isOver = true));
    await Promise.all(others);
    expect(await readdir(join(directory, queue))).toEqual([]);
  });

  it('[A5] are told from what others keep beside them, and empty directories go', async () => {
    const key = `${newJob()}/result`;
    await store.write(key, bodyOf(randomBody(10)), TYPE);
    const [queue, job] = key.split('/') as [string, string];
    await writeFile(join(directory, 'notes.txt'), 'mine');
    await writeFile(join(directory, queue, 'notes.txt'), 'mine');
    await mkdir(join(directory, queue, job, 'directory'));
    await writeFile(join(directory, queue, job, 'my notes'), 'mine');
    const empty = join(directory, queue, `${queue}_${randomUUID()}`);
    await mkdir(empty);
    expect(await keysOf(store)).toEqual([key]);
    await expect(stat(empty)).rejects.toThrow('ENOENT');
    await store.remove([key]);
    expect(await readdir(join(directory, queue, job))).toEqual(['directory', 'my notes']);
  });

  it('[A5] say what is wrong with their directory', async () => {
    await writeFile(directory, 'a file');
    await expect(store.write(`${newJob()}/result`, bodyOf(randomBody(10)), TYPE)).rejects.toThrow(/EEXIST|ENOTDIR/);
  });
});

describe('results in S3', () => {
  let server: S3Server;
  const opened: OpenedStore[] = [];
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
    await server?.stop();
  });

  async function open(settings: { lists?: boolean; isDefaultClient?: boolean } = {}): Promise<OpenedStore> {
    server = await startS3Server(settings);
    const { endpoint, bucket } = server;
    const { isDefaultClient = false } = settings;
    opened.push(await openStore({ kind: 's3', endpoint, bucket, credentials: S3_CREDENTIALS, isDefaultClient }));
    return opened[0]!;
  }

  it.each([10, SEVERAL_PARTS])('[A5] of %i bytes go there with a client as it is by default', async (size) => {
    const { store } = await open({ isDefaultClient: true });
    const key = `${newJob()}/result`;
    const bytes = randomBody(size);
    expect(await store.write(key, bodyOf(bytes), TYPE)).toEqual(writtenOf(bytes));
    expect((await buffer((await store.read(key))!)).equals(bytes)).toBe(true);
    const early = (await store.read(key))!;
    await once(early, 'readable');
    early.destroy();
    await eventually(async () => expect(await opened[0]!.inUse()).toBe(0));
    await store.remove([key]);
    expect(await store.read(key)).toBeUndefined();
  });

  it('[A5] go to a server that knows no list of uploads, and cannot abort one', async () => {
    const { store } = await open({ lists: false });
    const [key, other] = [`${newJob()}/result`, `${newJob()}/result`];
    await store.write(key, bodyOf(randomBody(10)), TYPE);
    const body = new HeldBody();
    const writing = store.write(other, body, TYPE);
    body.push(randomBody(SEVERAL_PARTS));
    await eventually(() => expect(body.readableLength).toBe(0));
    body.destroy(new Error('no more rows'));
    await expect(writing).rejects.toThrow('no more rows');
    expect(await keysOf(store)).toEqual([key]);
    expect(await store.read(other)).toBeUndefined();
  });

  it('[A5] are told from what others keep under the same prefix, and in the same bucket', async () => {
    const { store, listing } = await open();
    const key = `${newJob()}/result`;
    await store.write(key, bodyOf(randomBody(10)), TYPE);
    const client = new S3Client({
      region: 'us-east-1',
      endpoint: server.endpoint,
      credentials: S3_CREDENTIALS,
      forcePathStyle: true,
    });
    for (const Key of ['job-results/notes.txt', 'job-results/a/b/c/d', 'job-results-of-others/q/q_1/r', 'q/q_1/r']) {
      await client.send(new PutObjectCommand({ Bucket: server.bucket, Key, Body: 'mine' }));
    }
    client.destroy();
    expect(await keysOf(store)).toEqual([key]);
    expect(await keysOf(await listing(1))).toEqual([key]);
  });

  it('[A5] unfinished ones are listed some at a time', async () => {
    const { store, listing } = await open();
    const bodies = Array.from({ length: 3 }, () => new HeldBody());
    const writing = Promise.allSettled(bodies.map((body) => store.write(`${newJob()}/result`, body, TYPE)));
    for (const body of bodies) body.push(randomBody(SEVERAL_PARTS));
    const few = await listing(2);
    await eventually(async () => expect(await keysOf(few)).toHaveLength(3));
    await store.remove(await keysOf(few));
    for (const body of bodies) body.push(null);
    expect((await writing).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await keysOf(few)).toEqual([]);
  });

  it('[A5] break off with an error of the stream when the server goes, and are not written to one that is gone', async () => {
    const { store } = await open();
    const key = `${newJob()}/result`;
    await store.write(key, bodyOf(randomBody(SEVERAL_PARTS)), TYPE);
    const reading = (await store.read(key))!;
    await once(reading, 'readable');
    await server.kill();
    await expect(buffer(reading)).rejects.toThrow();
    const body = bodyOf(randomBody(SEVERAL_PARTS));
    await expect(store.write(key, body, TYPE)).rejects.toThrow();
    expect(body.destroyed).toBe(true);
    await expect(store.read(key)).rejects.toThrow();
    await expect(store.list()).rejects.toThrow();
    await expect(store.remove([key])).rejects.toThrow();
  });
});

describe.each(backends)('the table of results on $name', (backend) => {
  it('[X2] is there where the jobs are in a database', async () => {
    const { app, close } = await startJobsApp({ backend, options: { workers: false } });
    const { resultTable } = app.get<QueueBackend>(QUEUE_BACKEND);
    expect(resultTable !== undefined).toBe(backend.name !== 'redis');
    const bytes = randomBody(300_000);
    const key = `${newJob()}/result`;
    expect((await resultTable?.write(key, bodyOf(bytes), TYPE)) ?? writtenOf(bytes)).toEqual(writtenOf(bytes));
    await close();
  });
});

// `describe.each` refuses an empty table, and Redis has none.
const tables = testStores.filter(({ name }) => name.startsWith('the table'));
if (tables.length > 0) {
  describe.each(tables)('results in $name', ({ make }) => {
    it('[A5] break off with an error of the stream when they are removed while they are read', async () => {
      const made = await make();
      const { store, close } = await openStore(made.place);
      const key = `${newJob()}/result`;
      await store.write(key, bodyOf(randomBody(SEVERAL_PARTS)), TYPE);
      const reading = (await store.read(key))!;
      await once(reading, 'readable');
      await store.remove([key]);
      await expect(buffer(reading)).rejects.toThrow(`the result ${key} was removed while it was read`);
      await close();
      await made.remove();
    });

    it('[X2] cannot be written twice under one key, and the first one stays', async () => {
      const made = await make();
      const { store, close } = await openStore(made.place);
      const key = `${newJob()}/result`;
      const bytes = randomBody(10);
      await store.write(key, bodyOf(bytes), TYPE);
      await expect(store.write(key, bodyOf(randomBody(20)), TYPE)).rejects.toThrow(/duplicate key/);
      expect(await buffer((await store.read(key))!)).toEqual(bytes);
      await close();
      await made.remove();
    });
  });
}
