import { Agent } from 'node:http';
import { readdir, readlink } from 'node:fs/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { openPglitePool } from '../../libs/jobs/src/backend/embedded/pglite-pool.js';
import { PostgresPool } from '../../libs/jobs/src/backend/postgres/postgres-pool.js';
import { migrate } from '../../libs/jobs/src/backend/sql/migrations.js';
import type { SqlPool } from '../../libs/jobs/src/backend/sql/sql-pool.js';
import { SqlResultStore } from '../../libs/jobs/src/backend/sql/sql-result-store.js';
import { FileResultStore } from '../../libs/jobs/src/results/file-result-store.js';
import type { ResultStore } from '../../libs/jobs/src/results/result-store.js';
import { openS3ResultStore } from '../../libs/jobs/src/results/s3-result-store.js';

const BOOT_TIMEOUT = 30_000;

/** Where results are: plain JSON, so that a process that a test starts finds the same ones. */
export type StorePlace =
  | { readonly kind: 'files'; readonly directory: string }
  | {
      readonly kind: 's3';
      readonly endpoint: string;
      readonly bucket: string;
      readonly credentials: { accessKeyId: string; secretAccessKey: string };
      /** As an app has it that has read no documentation. */
      readonly isDefaultClient?: boolean;
    }
  | { readonly kind: 'embedded'; readonly dataDir: string; readonly template: string; readonly namespace: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly namespace: string };

export interface OpenedStore {
  readonly store: ResultStore;
  /** The same results, of which few are listed at a time. */
  readonly listing: (most: number) => ResultStore | Promise<ResultStore>;
  /** Files or connections that it has for somebody right now. */
  inUse(): number | Promise<number>;
  /** Takes what memory the store takes sooner or later, whatever is kept in it. */
  readonly warmUp?: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function openStore(place: StorePlace): Promise<OpenedStore> {
  if (place.kind === 'files') return openFiles(place.directory);
  if (place.kind === 's3') return openS3(place);
  const { namespace } = place;
  if (place.kind === 'embedded') {
    const pool = await openPglitePool({ ...place, searchPath: namespace, lockGrace: BOOT_TIMEOUT });
    const client = await pool.connect();
    await migrate(client, namespace);
    client.release();
    return { ...openTable(pool, () => 0), warmUp: () => fillCache(pool) };
  }
  // One connection: whoever held it between two chunks would keep all others waiting for ever.
  const pool = new PostgresPool({ connectionString: place.url, max: 1 }, namespace);
  await pool.prepare((client) => migrate(client, namespace), BOOT_TIMEOUT);
  pool.open();
  return openTable(pool, () => 0);
}

/** What Postgres has for its pages, 32 MB, is in this process. What is copied into a new table would not do. */
async function fillCache(pool: SqlPool): Promise<void> {
  await pool.query('CREATE TABLE filler (bytes text)');
  await pool.query("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 40000)");
  await pool.query('DROP TABLE filler');
}

function openFiles(directory: string): OpenedStore {
  return {
    store: new FileResultStore(directory),
    listing: (most) => new FileResultStore(directory, most),
    inUse: async () => {
      const descriptors = await readdir('/proc/self/fd');
      const files = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
      return files.filter((file) => file.startsWith(directory)).length;
    },
    close: async () => undefined,
  };
}

/** A client as the documentation has it, unless the place says otherwise. */
export function s3ClientOf(place: StorePlace & { kind: 's3' }, httpAgent = new Agent({ keepAlive: true })): S3Client {
  const { endpoint, credentials, isDefaultClient = false } = place;
  return new S3Client({
    region: 'us-east-1',
    endpoint,
    credentials,
    forcePathStyle: true,
    maxAttempts: 1,
    requestHandler: { httpAgent },
    ...(!isDefaultClient && {
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
  });
}

async function openS3(place: StorePlace & { kind: 's3' }): Promise<OpenedStore> {
  const { bucket } = place;
  const httpAgent = new Agent({ keepAlive: true });
  const client = s3ClientOf(place, httpAgent);
  return {
    store: await openS3ResultStore({ bucket, client }),
    listing: (most) => openS3ResultStore({ bucket, client }, most),
    inUse: () => Object.values(httpAgent.sockets).flat().length,
    close: async () => {
      client.destroy();
      httpAgent.destroy();
    },
  };
}

function openTable(pool: SqlPool & { end(): Promise<void> }, inUse: () => number): OpenedStore {
  return {
    store: new SqlResultStore(pool),
    listing: (most) => new SqlResultStore(pool, most),
    inUse,
    close: () => pool.end(),
  };
}
