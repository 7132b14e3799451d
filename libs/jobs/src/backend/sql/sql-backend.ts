import { inspect } from 'node:util';
import {
  FlowProducer,
  Queue,
  QueueEvents,
  type BackendFactory,
  type ConnectionOptions,
  type PgQueryable,
  type Processor,
  type RedisQueueBackend,
} from 'bullmq';
import type { BackendLogger } from '../backend-logger.js';
import { FleetMessages } from '../fleet-messages.js';
import { JobsWorker } from '../jobs-worker.js';
import type { CancelMark, CancelMarks, QueueBackend, Replaced, Replacement, WorkerSettings } from '../queue-backend.js';
import { keepSiblings } from '../sibling-backends.js';
import type { SqlTransaction } from '../sql-transaction.js';
import { pingWithin } from '../with-timeout.js';
import { repeatStrategy } from '../../schedule/alarm-pattern.js';
import { commonWorkerOptions } from '../worker-options.js';
import { countLogLines } from './count-log-lines.js';
import { forgetJob } from './forget-job.js';
import { deferredFailures, markCancelled, readUnfinished } from './mark-cancelled.js';
import { positionOf } from './position-of.js';
import { readingTogether } from './reads-together.js';
import { replaceUnbegun } from './replace-unbegun.js';
import { SqlConnection } from './sql-connection.js';
import { SqlFailedJobs } from './sql-failed-jobs.js';
import { SqlFigures } from './sql-figures.js';
import { SqlJobSets } from './sql-job-sets.js';
import { SqlKeptResults } from './sql-kept-results.js';
import { SqlLedger } from './sql-ledger.js';
import { SqlLimits } from './sql-limits.js';
import { SqlLines } from './sql-lines.js';
import { SqlMessageLine } from './sql-messages.js';
import { SqlResultStore } from './sql-result-store.js';
import { SqlScheduleStore } from './sql-schedule-store.js';
import type { SqlPool } from './sql-pool.js';
import { SqlTagIndex } from './sql-tag-index.js';
import { wakeJobs } from './wake-jobs.js';
import { WindowedQueueBackend } from './windowed-queue-backend.js';

/** Of what is given back, the last comes first. `seq` alone orders within one priority only. */
const GIVE_BACK = `
WITH given_back AS (
  UPDATE job
     SET state = 'waiting', priority = 0, seq = -nextval('job_seq'),
         lock_token = NULL, locked_until_ms = NULL, stalled_marked = false
   WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3
  RETURNING id
)
SELECT pg_notify('bullmq_jobs', $1),
       publish_event($1, 'waiting', jsonb_build_object('jobId', id, 'prev', 'active'))
  FROM given_back`;

const LONGEST_ACTIVE = `
SELECT id FROM job WHERE queue = $1 AND state = 'active' ORDER BY processed_at_ms, seq LIMIT $2`;

const CLAIM_TOKENS = `SELECT id, lock_token FROM job WHERE queue = $1 AND id = ANY($2::text[]) AND state = 'active'`;

/** What Postgres and PGlite have in common: BullMQ's Postgres backend and the ledger, over one {@link SqlPool}. @internal */
export abstract class SqlBackend implements QueueBackend {
  abstract readonly kind: QueueBackend['kind'];
  abstract readonly location: string;
  readonly ledger: SqlLedger;
  readonly lines: SqlLines;
  readonly keptResults: SqlKeptResults;
  readonly schedules: SqlScheduleStore;
  readonly limits: SqlLimits;
  readonly tags: SqlTagIndex;
  readonly failed: SqlFailedJobs;
  readonly figures: SqlFigures;
  readonly resultTable: SqlResultStore;
  readonly sets: SqlJobSets;
  readonly messages: FleetMessages;
  private readonly factory: BackendFactory<RedisQueueBackend>;

  protected constructor(
    protected readonly pool: SqlPool,
    protected readonly schema: string,
    logger: BackendLogger,
  ) {
    this.ledger = new SqlLedger(pool);
    this.lines = new SqlLines(pool);
    this.keptResults = new SqlKeptResults(pool);
    this.schedules = new SqlScheduleStore(pool);
    this.limits = new SqlLimits(pool);
    this.tags = new SqlTagIndex(pool);
    this.failed = new SqlFailedJobs(pool);
    this.figures = new SqlFigures(pool);
    this.resultTable = new SqlResultStore(pool);
    this.sets = new SqlJobSets(pool);
    this.messages = new FleetMessages(this, new SqlMessageLine(pool, schema), logger);
    const factory: BackendFactory<WindowedQueueBackend, SqlPool> = (name, options) =>
      new WindowedQueueBackend(new SqlConnection(readingTogether(pool), schema), name, options);
    // BullMQ's classes are typed for Redis unless every type that touches them names another backend.
    this.factory = factory as unknown as BackendFactory<RedisQueueBackend>;
  }

  /** What is inside holds passwords. */
  [inspect.custom](): string {
    return `${this.constructor.name}(${this.location})`;
  }

  createQueue(name: string, isKnown = true): Queue {
    const options = { ...this.connection(), skipMetasUpdate: !isKnown, settings: { repeatStrategy } };
    return new Queue(name, options, this.factory);
  }

  createFlowProducer(): FlowProducer {
    return keepSiblings(new FlowProducer(this.connection(), this.factory));
  }

  createWorker(name: string, processor: Processor, settings: WorkerSettings): JobsWorker {
    const options = { ...commonWorkerOptions(settings), ...this.connection() };
    return new JobsWorker(name, processor, options, this.factory);
  }

  createQueueEvents(name: string): QueueEvents {
    return new QueueEvents(name, this.connection(), this.factory);
  }

  markCancelled(queue: Queue, jobIds: readonly string[], marks: CancelMarks): Promise<CancelMark[]> {
    return markCancelled(this.pool, queue, jobIds, marks);
  }

  readUnfinished(queue: Queue, jobIds: readonly string[], field: string): Promise<unknown[]> {
    return readUnfinished(this.pool, queue, jobIds, field);
  }

  deferredFailures(queue: Queue, jobIds: readonly string[]): Promise<(string | undefined)[]> {
    return deferredFailures(this.pool, queue, jobIds);
  }

  async longestActive(queue: Queue, most: number): Promise<string[]> {
    const { rows } = await this.pool.query<{ id: string }>(LONGEST_ACTIVE, [queue.name, most]);
    return rows.map(({ id }) => id);
  }

  async claimTokens(queue: Queue, jobIds: readonly string[]): Promise<(string | undefined)[]> {
    const { rows } = await this.pool.query<{ id: string; lock_token: string | null }>(CLAIM_TOKENS, [
      queue.name,
      jobIds,
    ]);
    const found = new Map(rows.map(({ id, lock_token: token }) => [id, token ?? undefined]));
    return jobIds.map((id) => found.get(id));
  }

  countLogLines(queue: Queue, jobIds: readonly string[]): Promise<number[]> {
    return countLogLines(this.pool, queue, jobIds);
  }

  positionOf(queue: Queue, jobId: string, most: number): Promise<number | undefined> {
    return positionOf(this.pool, queue, jobId, most);
  }

  replaceUnbegun(
    queue: Queue,
    key: string,
    by: Replacement,
    transaction?: SqlTransaction,
  ): Promise<Replaced | undefined> {
    return replaceUnbegun(transaction ? this.poolOf(transaction) : this.pool, this.schema, queue, key, by);
  }

  async giveBack(queue: Queue, jobId: string, token: string): Promise<boolean> {
    const { rows } = await this.pool.query(GIVE_BACK, [queue.name, jobId, token]);
    return rows.length > 0;
  }

  wake(queue: Queue, jobIds: readonly string[]): Promise<void> {
    return wakeJobs(this.pool, queue, jobIds);
  }

  async wakeWorker(queue: Queue): Promise<void> {
    await this.pool.query(`SELECT pg_notify('bullmq_jobs', $1)`, [queue.name]);
  }

  forget(queue: Queue, jobId: string, endedBy: number): Promise<boolean> {
    return forgetJob(this.pool, queue, jobId, endedBy);
  }

  ping(timeout: number): Promise<void> {
    // Of a table that is needed: a server may answer whose tables are gone or locked.
    return pingWithin(timeout, this.location, () => this.pool.query('SELECT FROM job LIMIT 0'));
  }

  /** Inside this process there is no connection that could break. */
  async reconnect(_timeout: number): Promise<number> {
    return 0;
  }

  private connection(): { connection: ConnectionOptions } {
    return { connection: this.pool as unknown as ConnectionOptions };
  }

  /** What runs statements in a transaction of the caller's. */
  protected abstract poolOf(transaction: SqlTransaction): PgQueryable;
  abstract createQueueIn(transaction: SqlTransaction, name: string): Queue;
  abstract isConnectionError(error: unknown): boolean;
  abstract close(timeout: number): Promise<void>;
  abstract whenReady(timeout: number): Promise<void>;
  abstract lastConnectionError(): Error | undefined;
}
