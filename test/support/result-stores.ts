import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { FoundResult, ResultStore } from '../../libs/jobs/src/results/result-store.js';
import { backends, embeddedIn, postgresUrl, uniqueNamespace } from './backends.js';
import type { StorePlace } from './opened-store.js';
import { S3_CREDENTIALS, startS3Server } from './s3-server.js';

export interface TestPlace {
  readonly place: StorePlace;
  remove(): Promise<void>;
}

export interface TestStore {
  readonly name: string;
  /** A place of a test's own. */
  readonly make: () => Promise<TestPlace>;
}

async function inDirectory(place: (directory: string) => StorePlace): Promise<TestPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'jobs-results-'));
  return { place: place(directory), remove: () => rm(directory, { recursive: true, force: true }) };
}

const everywhere: readonly TestStore[] = [
  { name: 'files', make: () => inDirectory((directory) => ({ kind: 'files', directory: join(directory, 'results') })) },
  {
    name: 's3',
    make: async () => {
      const { endpoint, bucket, stop } = await startS3Server();
      return { place: { kind: 's3', endpoint, bucket, credentials: S3_CREDENTIALS }, remove: stop };
    },
  },
];

const tables: Partial<Record<string, TestStore>> = {
  embedded: {
    name: 'the table on embedded',
    make: () =>
      inDirectory((directory) => {
        const { embedded } = embeddedIn(join(directory, 'data'));
        return { kind: 'embedded', ...embedded, namespace: uniqueNamespace() };
      }),
  },
  postgres: {
    name: 'the table on postgres',
    make: async () => ({
      place: { kind: 'postgres', url: postgresUrl(), namespace: uniqueNamespace() },
      remove: async () => undefined,
    }),
  },
};

/** For `describe.each`: those that need no backend, and the tables of this run's backends. */
export const testStores: readonly TestStore[] = [...everywhere, ...backends.flatMap(({ name }) => tables[name] ?? [])];

/** `<queue>/<job id>` of a job of a test's own. */
export function newJob(queue = 'default'): string {
  return `${queue}/${queue}_${randomUUID()}`;
}

/** In pieces of no size that a store has. */
export function bodyOf(bytes: Buffer, piece = 100_003): Readable {
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, n) =>
    bytes.subarray(n * piece, (n + 1) * piece),
  );
  return Readable.from(pieces, { objectMode: false });
}

/** No two parts are the same. */
export function randomBody(size: number): Buffer {
  return randomBytes(size);
}

export function writtenOf(bytes: Buffer): { size: number; sha256: string } {
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** All that is listed of a job, or of all jobs. */
export async function listed(store: ResultStore, job = ''): Promise<{ found: FoundResult[]; pages: number }> {
  const found: FoundResult[] = [];
  let cursor: string | undefined;
  for (let pages = 1; ; pages++) {
    const page = await store.list(cursor);
    found.push(...page.results.filter(({ key }) => key.startsWith(job)));
    if (page.cursor === undefined) return { found, pages };
    cursor = page.cursor;
  }
}

/** Of a job: the keys of results and of what is not finished. */
export async function keysOf(store: ResultStore, job = ''): Promise<string[]> {
  return (await listed(store, job)).found.map(({ key }) => key);
}

/** A body that a test writes to as it likes. */
export class HeldBody extends Readable {
  override _read(): void {}
}
