import { createPostgresBackend, PostgresQueueBackend, withBackend, Worker, type BackendFactory } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { openPglitePool } from '../../libs/jobs/src/backend/embedded/pglite-pool.js';
import { SqlConnection } from '../../libs/jobs/src/backend/sql/sql-connection.js';
import type { SqlPool } from '../../libs/jobs/src/backend/sql/sql-pool.js';
import { commonWorkerOptions } from '../../libs/jobs/src/backend/worker-options.js';
import type { Meter } from './meter.js';
import { QUEUE } from './noop-jobs.js';
import { NAMESPACE, type StoreAddress, type StoreName } from './stores.js';

const LEASE = 30_000;
/** That of `pg.Pool` by default, as ours has it. */
const POOL_SIZE = 10;

type Options = ReturnType<typeof commonWorkerOptions>;
type Processor = (job: unknown, token?: string) => Promise<void>;

interface RunningWorker {
  run(): Promise<void>;
  close(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

interface OpenWorker {
  readonly worker: RunningWorker;
  /** To be called when the worker is closed. */
  readonly disconnect: () => Promise<unknown>;
}

const open: Record<StoreName, (location: string, process: Processor, options: Options) => Promise<OpenWorker>> = {
  redis: async (url, process, options) => {
    const connection = new Redis(url, { maxRetriesPerRequest: null });
    const worker = new Worker(QUEUE, process, { ...options, connection, prefix: `{${NAMESPACE}}` });
    return { worker, disconnect: () => connection.quit() };
  },

  postgres: async (connectionString, process, options) => {
    // One more, because BullMQ takes the connection that listens out of this pool, and ours has it beside the pool.
    const pool = new pg.Pool({ connectionString, max: POOL_SIZE + 1, options: `-c search_path=${NAMESPACE}` });
    const { Worker: PostgresWorker } = withBackend(createPostgresBackend);
    const worker = new PostgresWorker(QUEUE, process, { ...options, connection: pool });
    return { worker, disconnect: () => pool.end() };
  },

  embedded: async (dataDir, process, options) => {
    const connection = await openPglitePool({ dataDir, searchPath: NAMESPACE, lockGrace: LEASE });
    const factory: BackendFactory<PostgresQueueBackend, SqlPool> = (name, backendOptions) =>
      new PostgresQueueBackend(new SqlConnection(connection, NAMESPACE), name, backendOptions);
    const { Worker: EmbeddedWorker } = withBackend(factory);
    const worker = new EmbeddedWorker(QUEUE, process, { ...options, connection });
    return { worker, disconnect: () => connection.end() };
  },
};

/** BullMQ as its own documentation uses it, with the worker options that ours has. Returns what stops it. */
export async function startRawWorker(
  { name, location }: StoreAddress,
  { meter, concurrency }: { meter: Meter; concurrency: number },
): Promise<() => Promise<void>> {
  const processor: Processor = async (_job, _token) => meter.count();
  const options = commonWorkerOptions({ concurrency, lease: LEASE });
  const { worker, disconnect } = await open[name](location, processor, options);
  worker.on('error', (error) => console.error(error));
  void worker.run();
  return async () => {
    await worker.close();
    await disconnect();
  };
}
