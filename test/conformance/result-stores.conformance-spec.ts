import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { InvalidResultKeyError } from '../../libs/jobs/src/results/invalid-result-key.error.js';
import { eventually } from '../support/eventually.js';
import { openStore, type OpenedStore } from '../support/opened-store.js';
import {
  bodyOf,
  HeldBody,
  keysOf,
  listed,
  newJob,
  randomBody,
  testStores,
  writtenOf,
  type TestPlace,
} from '../support/result-stores.js';

const TYPE = 'application/octet-stream';
/** Of the table. */
const CHUNK = 64 * 1024;
/** More than two parts of S3, which has 5 MB in each. */
const SEVERAL_PARTS = 11 * 1024 * 1024 + 7;

describe.each(testStores)('the store of large results: $name', ({ make }) => {
  let made: TestPlace;
  let opened: OpenedStore;
  beforeAll(async () => {
    made = await make();
    opened = await openStore(made.place);
  });
  afterAll(async () => {
    await opened?.close();
    await made?.remove();
  });

  const read = async (key: string, start?: number, end?: number): Promise<Buffer | undefined> => {
    const stream = await opened.store.read(key, start === undefined ? undefined : { start, end: end! });
    return stream && buffer(stream);
  };

  it.each([0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1, SEVERAL_PARTS])('[A5] gives back %i bytes', async (size) => {
    const bytes = randomBody(size);
    const key = `${newJob()}/result`;
    expect(await read(key)).toBeUndefined();
    expect(await opened.store.write(key, bodyOf(bytes), TYPE)).toEqual(writtenOf(bytes));
    expect((await read(key))!.equals(bytes)).toBe(true);
    await opened.store.remove([key]);
    expect(await read(key)).toBeUndefined();
  });

  it('[A5] gives back what was text', async () => {
    const key = `${newJob()}/result`;
    const text = new HeldBody({ encoding: 'utf8' });
    const writing = opened.store.write(key, text, 'text/plain; charset=utf-8');
    text.push('größer ');
    text.push('als 64 kB');
    text.push(null);
    expect(await writing).toEqual(writtenOf(Buffer.from('größer als 64 kB')));
    expect((await read(key))!.toString()).toBe('größer als 64 kB');
  });

  describe('ranges', () => {
    const bytes = randomBody(3 * CHUNK - 1);
    const last = bytes.length - 1;
    const key = `${newJob()}/ranges`;
    beforeAll(() => opened.store.write(key, bodyOf(bytes), TYPE));

    it.each([
      [0, 0],
      [0, CHUNK - 1],
      [0, CHUNK],
      [CHUNK - 1, CHUNK],
      [CHUNK, 2 * CHUNK - 1],
      [100, last - 100],
      [last, last],
      [0, last],
    ])('[A5] gives the bytes from %i to %i', async (start, end) => {
      expect((await read(key, start, end))!.equals(bytes.subarray(start, end + 1))).toBe(true);
    });
  });

  it('[X2] lets nobody see a result that is not whole', async () => {
    const bytes = randomBody(SEVERAL_PARTS);
    const key = `${newJob()}/result`;
    const body = new HeldBody();
    const writing = opened.store.write(key, body, TYPE);
    body.push(bytes.subarray(0, -1));
    await eventually(() => expect(body.readableLength).toBe(0));
    expect(await read(key)).toBeUndefined();
    body.push(bytes.subarray(-1));
    body.push(null);
    await writing;
    expect((await read(key))!.equals(bytes)).toBe(true);
  });

  it.each([
    { what: 'fails', error: new Error('the attempt ran into its time limit'), says: /time limit/ },
    { what: 'is destroyed', error: undefined, says: /premature close/i },
  ])('[X2] leaves nothing of a body that $what in the middle', async ({ error, says }) => {
    const job = newJob();
    const body = new HeldBody();
    const writing = opened.store.write(`${job}/result`, body, TYPE);
    body.push(randomBody(SEVERAL_PARTS));
    await eventually(async () => expect(await keysOf(opened.store, job)).toHaveLength(1));
    body.destroy(error);
    await expect(writing).rejects.toThrow(says);
    expect(await read(`${job}/result`)).toBeUndefined();
    expect(await keysOf(opened.store, job)).toEqual([]);
    await eventually(async () => expect(await opened.inUse()).toBe(0));
  });

  it('[X2] says so when the body failed before anything of it was read, or was read by somebody else', async () => {
    const key = `${newJob()}/result`;
    const failing = new HeldBody();
    const writing = opened.store.write(key, failing, TYPE);
    failing.destroy(new Error('no rows'));
    await expect(writing).rejects.toThrow('no rows');
    const gone = new HeldBody().destroy();
    await once(gone, 'close');
    await expect(opened.store.write(key, gone, TYPE)).rejects.toThrow(/premature close/i);
    const spent = bodyOf(randomBody(10));
    await buffer(spent);
    await expect(opened.store.write(key, spent, TYPE)).rejects.toThrow('read to its end');
    expect(await read(key)).toBeUndefined();
  });

  it('[X2] does not keep a result that is removed while it is written, and lets go of its body', async () => {
    const job = newJob();
    const body = new HeldBody();
    const writing = opened.store.write(`${job}/result`, body, TYPE);
    body.push(randomBody(SEVERAL_PARTS));
    const begun = await eventually(async () => {
      const keys = await keysOf(opened.store, job);
      return keys.length > 0 && keys;
    });
    await opened.store.remove(begun);
    body.push(randomBody(CHUNK));
    body.push(null);
    await expect(writing).rejects.toThrow();
    expect(body.destroyed).toBe(true);
    expect(await read(`${job}/result`)).toBeUndefined();
    expect(await keysOf(opened.store, job)).toEqual([]);
  });

  it.each(['../../outside', '/etc/passwd', 'default/../result', 'default/default_1/..', 'default\\default_1\\result'])(
    '[A5] refuses the key %s',
    async (key) => {
      const body = bodyOf(randomBody(10));
      await expect(opened.store.write(key, body, TYPE)).rejects.toThrow(InvalidResultKeyError);
      expect(body.destroyed).toBe(true);
      await expect(opened.store.read(key)).rejects.toThrow(InvalidResultKeyError);
      await expect(opened.store.remove([key])).rejects.toThrow(InvalidResultKeyError);
    },
  );

  it('[A5] writes many results of one job at once, while others of it are removed', async () => {
    const job = newJob();
    const kept = Array.from({ length: 12 }, () => randomBody(50_000));
    const writeAndRemove = async (n: number): Promise<void> => {
      for (let round = 0; round < 10; round++) {
        const key = `${job}/${n}-${round}`;
        await opened.store.write(key, bodyOf(randomBody(10)), TYPE);
        await opened.store.remove([key]);
      }
    };
    await Promise.all([
      ...kept.map((bytes, n) => opened.store.write(`${job}/kept-${n}`, bodyOf(bytes), TYPE)),
      ...[0, 1, 2, 3].map(writeAndRemove),
    ]);
    const names = kept.map((_, n) => `${job}/kept-${n}`);
    expect((await keysOf(opened.store, job)).toSorted()).toEqual(names.toSorted());
    const found = await Promise.all(names.map((key) => read(key)));
    expect(found.map((bytes, n) => bytes!.equals(kept[n]!))).not.toContain(false);
    await opened.store.remove([...names, ...names, `${job}/never-written`]);
    expect(await keysOf(opened.store, job)).toEqual([]);
    await opened.store.remove([]);
  });

  it('[A5] lists all of them, some at a time, and when they were written', async () => {
    // The names are in another order than their directories would be with a slash behind.
    const keys = ['q', 'q-a', 'q-a', 'qa', 'qa'].map((queue, n) => `${newJob(queue)}/result-${n}`);
    for (const key of keys) await opened.store.write(key, bodyOf(randomBody(10)), TYPE);
    const store = await opened.listing(2);
    const { found, pages } = await listed(store, 'q');
    expect(found.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
    expect(pages).toBeGreaterThan(2);
    const ages = found.map(({ writtenAt }) => Date.now() - writtenAt);
    expect(Math.max(...ages.map(Math.abs))).toBeLessThan(10 * 60_000);
    await store.remove(keys);
    expect(await keysOf(store, 'q')).toEqual([]);
  });

  it('[A5] lets go of what it has for a reader that leaves early', async () => {
    const key = `${newJob()}/result`;
    await opened.store.write(key, bodyOf(randomBody(SEVERAL_PARTS)), TYPE);
    const early = (await opened.store.read(key))!;
    early.destroy();
    await once(early, 'close');
    const stream = (await opened.store.read(key))!;
    await once(stream, 'readable');
    expect(stream.read(1)).toHaveLength(1);
    stream.destroy();
    await once(stream, 'close');
    await eventually(async () => expect(await opened.inUse()).toBe(0));
    expect(await read(key)).toHaveLength(SEVERAL_PARTS);
  });

  it('[A5] keeps nobody waiting for readers and writers that take their time', async () => {
    const [key, other] = [`${newJob()}/result`, `${newJob()}/result`];
    const bytes = randomBody(2 * SEVERAL_PARTS);
    await opened.store.write(key, bodyOf(bytes), TYPE);
    const slow = (await opened.store.read(key))!;
    await once(slow, 'readable');
    const body = new HeldBody();
    const writing = opened.store.write(other, body, TYPE);
    body.push(bytes.subarray(0, 3 * CHUNK));
    expect((await read(key))!.equals(bytes)).toBe(true);
    body.push(null);
    expect(await writing).toEqual(writtenOf(bytes.subarray(0, 3 * CHUNK)));
    expect((await buffer(slow)).equals(bytes)).toBe(true);
  });
});
