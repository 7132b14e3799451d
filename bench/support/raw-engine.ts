import {
  createPostgresBackend,
  FlowProducer,
  PostgresQueueBackend,
  Queue,
  QueueEvents,
  withBackend,
  Worker,
  type BackendFactory,
  type FlowJob,
  type JobsOptions,
  type WorkerOptions,
} from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { openPglitePool } from '../../libs/jobs/src/backend/embedded/pglite-pool.js';
import { SqlConnection } from '../../libs/jobs/src/backend/sql/sql-connection.js';
import type { SqlPool } from '../../libs/jobs/src/backend/sql/sql-pool.js';
import { commonWorkerOptions } from '../../libs/jobs/src/backend/worker-options.js';
import { NAMESPACE, type StoreAddress, type StoreName } from './stores.js';

const LEASE = 30_000;
/** That of `pg.Pool` by default, as ours has it. */
const POOL_SIZE = 10;

export type RawProcessor = (job: RawJob, token?: string) => Promise<unknown>;

export interface RawJob {
  readonly id?: string | undefined;
  readonly name: string;
  readonly data: unknown;
  readonly opts: JobsOptions;
  getChildrenValues(): Promise<Record<string, unknown>>;
}

export interface RawWorker {
  run(): Promise<void>;
  close(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface RawQueue {
  add(name: string, data: unknown, opts?: JobsOptions): Promise<RawJob>;
  addBulk(jobs: { name: string; data: unknown; opts?: JobsOptions }[]): Promise<RawJob[]>;
  upsertJobScheduler(
    id: string,
    repeat: { pattern: string; tz: string },
    template: { name: string; data: unknown; opts: JobsOptions },
  ): Promise<unknown>;
  getJob(id: string): Promise<RawJob | undefined>;
  /** Those that wait and have a priority, the next one first. */
  getPrioritized(first: number, last: number): Promise<RawJob[]>;
  remove(id: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface RawFlows {
  /** All jobs of a flow in one step. */
  add(flow: FlowJob): Promise<unknown>;
  close(): Promise<void>;
}

export interface RawEvents {
  on(event: 'completed', listener: (event: { jobId: string }) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

type Options = Omit<WorkerOptions, 'connection'>;

/** BullMQ without this library, connected to a store. */
export interface RawEngine {
  worker(queue: string, processor: RawProcessor, options: Options): RawWorker;
  queue(name: string): RawQueue;
  flows(): RawFlows;
  events(queue: string): RawEvents;
  /** To be called when all workers and queues are closed. */
  disconnect(): Promise<unknown>;
}

const OPEN: Record<StoreName, (location: string) => Promise<RawEngine>> = {
  redis: async (url) => {
    const prefix = redisPrefix();
    // Workers must wait for a lost Redis, says BullMQ; both of ours and of these send over one shared connection.
    const connection = new Redis(url, { maxRetriesPerRequest: null });
    return {
      worker: (name, processor, options) => new Worker(name, processor, { ...options, connection, prefix }),
      queue: (name) => new Queue(name, { connection, prefix }),
      flows: () => new FlowProducer({ connection, prefix }),
      // From the beginning, or what happens before the first read is missed.
      events: (name) => new QueueEvents(name, { connection, prefix, lastEventId: '0-0' }),
      disconnect: () => connection.quit(),
    };
  },

  postgres: async (connectionString) => {
    // One more, because BullMQ takes the connection that listens out of this pool, and ours has it beside the pool.
    const connection = new pg.Pool({ connectionString, max: POOL_SIZE + 1, options: `-c search_path=${NAMESPACE}` });
    const {
      Worker: PostgresWorker,
      Queue: PostgresQueue,
      FlowProducer: PostgresFlows,
      QueueEvents: PostgresEvents,
    } = withBackend(createPostgresBackend);
    return {
      worker: (name, processor, options) => new PostgresWorker(name, processor, { ...options, connection }),
      queue: (name) => new PostgresQueue(name, { connection }),
      flows: () => new PostgresFlows({ connection }),
      events: (name) => new PostgresEvents(name, { connection }),
      disconnect: () => connection.end(),
    };
  },

  embedded: async (dataDir) => {
    const connection = await openPglitePool({ dataDir, searchPath: NAMESPACE, lockGrace: LEASE });
    const factory: BackendFactory<PostgresQueueBackend, SqlPool> = (name, backendOptions) =>
      new PostgresQueueBackend(new SqlConnection(connection, NAMESPACE), name, backendOptions);
    const {
      Worker: EmbeddedWorker,
      Queue: EmbeddedQueue,
      FlowProducer: EmbeddedFlows,
      QueueEvents: EmbeddedEvents,
    } = withBackend(factory);
    return {
      worker: (name, processor, options) => new EmbeddedWorker(name, processor, { ...options, connection }),
      queue: (name) => new EmbeddedQueue(name, { connection }),
      flows: () => new EmbeddedFlows({ connection }),
      events: (name) => new EmbeddedEvents(name, { connection }),
      disconnect: () => connection.end(),
    };
  },
};

export function openRawEngine({ name, location }: StoreAddress): Promise<RawEngine> {
  return OPEN[name](location);
}

/** What this library puts before its keys. */
export function redisPrefix(): string {
  return `{${NAMESPACE}}`;
}

/** Those of our workers. */
export function rawWorkerOptions(concurrency: number): Options {
  return commonWorkerOptions({ concurrency, lease: LEASE });
}

/** BullMQ as its own documentation uses it, with the worker options that ours has. Returns what stops it. */
export async function startRawWorkers(
  store: StoreAddress,
  { queues, concurrency }: { queues: readonly string[]; concurrency: number },
  processor: RawProcessor,
): Promise<() => Promise<void>> {
  const engine = await openRawEngine(store);
  const workers = queues.map((queue) => {
    const worker = engine.worker(queue, processor, rawWorkerOptions(concurrency));
    worker.on('error', (error) => console.error(error));
    void worker.run();
    return worker;
  });
  return async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    await engine.disconnect();
  };
}
