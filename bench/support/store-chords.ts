// Runs a chain of chords in a process of its own and says how many bytes it has stored, before it runs and afterwards.
import { Redis } from 'ioredis';
import { chain, group, JobsService, type Signature } from '../../libs/jobs/src/index.js';
import { serveParent } from './alone.js';
import { add, largest, startCanvasApp } from './canvas-app.js';
import type { StoreAddress } from './stores.js';

export interface ChordsRequest {
  readonly store: StoreAddress;
  readonly chords: number;
  /** Of each. */
  readonly members: number;
}

export interface StoredBytes {
  readonly atStart: number;
  readonly atEnd: number;
}

const WAIT = '60s';

serveParent(async ({ store, chords, members }: ChordsRequest): Promise<StoredBytes> => {
  const settings = { concurrency: 4, arrivals: { tell: () => {} } };
  const producer = await startCanvasApp(store, { ...settings, workers: false });
  const handle = await producer.get(JobsService).start(chainOf(chords, members));
  const atStart = await bytesOfJobs(store.location);
  const worker = await startCanvasApp(store, { ...settings, workers: true });
  await handle.result({ timeout: WAIT });
  await worker.close();
  await producer.close();
  return { atStart, atEnd: await bytesOfJobs(store.location) };
});

/** A chain of chains is one chain. */
function chainOf(chords: number, members: number): Signature<undefined, number> {
  const times = <T>(make: () => T): T[] => Array.from({ length: members }, make);
  let canvas = chain(group(times(() => add.s({ x: 0, y: 1 }))), largest.s());
  for (let n = 1; n < chords; n++) {
    canvas = chain(canvas, group(times(() => add.s({ y: 1 }, { into: 'x' }))), largest.s());
  }
  return canvas;
}

/** Fields and values of all hashes: jobs, and the results that are kept for their parents. */
async function bytesOfJobs(url: string): Promise<number> {
  const redis = new Redis(url);
  const keys: string[] = [];
  for (let cursor = '0'; ;) {
    const [next, found] = await redis.scan(cursor, 'COUNT', 1_000, 'TYPE', 'hash');
    keys.push(...found);
    cursor = next;
    if (cursor === '0') break;
  }
  let bytes = 0;
  for (const key of new Set(keys)) {
    for (const [field, value] of Object.entries(await redis.hgetall(key))) {
      bytes += Buffer.byteLength(field) + Buffer.byteLength(value);
    }
  }
  redis.disconnect();
  return bytes;
}
