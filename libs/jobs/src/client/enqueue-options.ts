import type { SqlTransaction } from '../backend/sql-transaction.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { Duration } from '../options/jobs-options.js';
import { OptionReader, parseDuration } from '../options/option-reader.js';
import { InvalidEnqueueOptionsError } from './client.errors.js';
import { assertTransaction } from './transaction-check.js';

/**
 * Names for the priorities from 0 to 9: 9 runs first, as in Celery.
 *
 * @publicApi
 */
export const Priority = { bulk: 0, low: 2, normal: 5, high: 7, critical: 9 } as const;

/** When a job may run at the earliest: after `delay`, or at `runAt`; never both. */
type Start =
  | { /** How long to wait. @default 0 */ delay?: Duration; runAt?: never }
  | { /** A Date, or ISO-8601 with a time zone. A past time means now. */ runAt?: Date | string; delay?: never };

/** Where a job waits, and how urgent it is there. */
interface Placement {
  /** A declared queue instead of the task's. */
  queue?: string;
  /** From 0 to 9, 9 first. @default 5 */
  priority?: number;
}

/**
 * Options of one entry of `enqueueMany`: those of `enqueue` but `transaction`, which the whole list has.
 *
 * @publicApi
 */
export type EnqueueEntryOptions = Start & Placement & { transaction?: never };

/**
 * Options of one enqueued job.
 *
 * @publicApi
 */
export type EnqueueOptions = Start & Placement & EnqueueTransaction;

/**
 * Jobs that stand or fall with a transaction of the caller's.
 *
 * @publicApi
 */
export interface EnqueueTransaction {
  /**
   * Enqueues with statements of this transaction, on the Postgres database that holds the jobs: a `pg` client between
   * BEGIN and COMMIT, or what `fromTypeOrm`, `fromKnex` and `fromDrizzle` of `nestjs-jobs/postgres` make of theirs.
   *
   * Before COMMIT the job does not exist for anybody else and does not run: until then `handle.status()` rejects with
   * {@link JobNotFoundError}. After ROLLBACK there is no job, and nothing has run. The transaction stays the caller's:
   * nothing here begins, commits or rolls back, an error of a statement leaves it failed, and its client must not run
   * other statements at the same time. `connectTimeout` does not apply, since a statement in a transaction can only be
   * waited for. Without it, jobs are stored at once.
   *
   * On the embedded backend and on Redis `enqueue` rejects with {@link TransactionNotSupportedError}; for what is no
   * client in a transaction (a pool, one without BEGIN) with {@link InvalidEnqueueOptionsError}.
   *
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { JobsService, Task, task } from 'nestjs-jobs';
   * import { Pool } from 'pg';
   *
   * @Injectable()
   * class Mails {
   *   @Task()
   *   async confirm(payload: { orderId: string }): Promise<void> {
   *     console.log(payload.orderId);
   *   }
   * }
   *
   * @Injectable()
   * export class Orders {
   *   constructor(
   *     private readonly jobs: JobsService,
   *     private readonly pool: Pool,
   *   ) {}
   *
   *   async place(orderId: string): Promise<void> {
   *     const client = await this.pool.connect();
   *     try {
   *       await client.query('BEGIN');
   *       await client.query('INSERT INTO orders (id) VALUES ($1)', [orderId]);
   *       await this.jobs.enqueue(task(Mails, 'confirm'), { orderId }, { transaction: client });
   *       await client.query('COMMIT');
   *     } catch (error) {
   *       await client.query('ROLLBACK');
   *       throw error;
   *     } finally {
   *       client.release();
   *     }
   *   }
   * }
   * ```
   */
  transaction?: SqlTransaction;
}

/** @internal */
export interface ResolvedEntryOptions {
  readonly queue: string | undefined;
  /** Milliseconds. */
  readonly delay: number;
  readonly priority: number;
}

/** @internal */
export interface ResolvedEnqueueOptions extends ResolvedEntryOptions {
  readonly transaction: SqlTransaction | undefined;
}

const ENTRY_KEYS = ['delay', 'runAt', 'queue', 'priority'];
const ISO_WITH_ZONE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
/** The last time that a Date can be. */
const LATEST = 8.64e15;
const NONE: ResolvedEntryOptions = { queue: undefined, delay: 0, priority: Priority.normal };

/** @internal */
export function resolveEnqueueOptions(options: EnqueueOptions | undefined, now: number): ResolvedEnqueueOptions {
  if (options === undefined) return { ...NONE, transaction: undefined };
  return asEnqueueError(() => {
    const reader = new OptionReader(options, '', [...ENTRY_KEYS, 'transaction']);
    return { ...resolveEntry(reader, now), transaction: resolveTransaction(reader) };
  });
}

/** `path` is where the options stand, as in `entries[3].options`. @internal */
export function resolveEntryOptions(
  options: EnqueueEntryOptions | undefined,
  now: number,
  path: string,
): ResolvedEntryOptions {
  if (options === undefined) return NONE;
  return asEnqueueError(() => {
    const reader = new OptionReader(options, path, [...ENTRY_KEYS, 'transaction']);
    if (reader.raw('transaction') !== undefined) {
      throw new InvalidJobsOptionsError(
        reader.at('transaction'),
        'absent: all entries are enqueued in one transaction, enqueueMany(entries, { transaction })',
        reader.raw('transaction'),
      );
    }
    return resolveEntry(reader, now);
  });
}

/** What `enqueueMany` takes beside its entries. @internal */
export function resolveManyOptions(options: EnqueueTransaction | undefined): SqlTransaction | undefined {
  return asEnqueueError(() => resolveTransaction(new OptionReader(options, '', ['transaction'])));
}

/** Complains of what `enqueue` was called with in its own class, and not in that of the module's options. @internal */
export function asEnqueueError<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof InvalidEnqueueOptionsError || !(error instanceof Error)) throw error;
    throw new InvalidEnqueueOptionsError(error.message, { cause: error });
  }
}

function resolveTransaction(reader: OptionReader): SqlTransaction | undefined {
  const transaction = reader.raw('transaction');
  if (transaction === undefined) return undefined;
  assertTransaction(transaction, reader.at('transaction'));
  return transaction;
}

function resolveEntry(reader: OptionReader, now: number): ResolvedEntryOptions {
  const queue = reader.raw('queue');
  if (queue !== undefined && typeof queue !== 'string') {
    throw new InvalidJobsOptionsError(reader.at('queue'), 'the name of a declared queue', queue);
  }
  const isPriority = (n: number): boolean => Number.isInteger(n) && n >= 0 && n <= 9;
  const priority = reader.raw('priority') ?? Priority.normal;
  return {
    queue,
    delay: resolveDelay(reader, now),
    priority: reader.check('priority', priority, isPriority, 'a whole number from 0 to 9'),
  };
}

function resolveDelay(reader: OptionReader, now: number): number {
  const [delay, runAt] = [reader.raw('delay'), reader.raw('runAt')];
  if (delay !== undefined && runAt !== undefined) {
    const expected = 'absent beside "delay": a job starts after one or at the other';
    throw new InvalidJobsOptionsError(reader.at('runAt'), expected, runAt);
  }
  if (runAt !== undefined) return Math.max(0, toTime(runAt, reader.at('runAt')) - now);
  if (delay === undefined) return 0;
  const path = reader.at('delay');
  const parsed = parseDuration(delay);
  if (parsed === undefined || !Number.isFinite(parsed) || parsed < 0) {
    throw new InvalidJobsOptionsError(path, "a duration from zero: milliseconds or a string like '10m'", delay);
  }
  if (parsed > LATEST - now) throw new InvalidJobsOptionsError(path, 'short enough to end on a date', delay);
  return Math.round(parsed);
}

function toTime(runAt: unknown, path: string): number {
  const time =
    runAt instanceof Date
      ? runAt.getTime()
      : typeof runAt === 'string' && ISO_WITH_ZONE.test(runAt) && isDay(runAt.slice(0, 10))
        ? Date.parse(runAt)
        : Number.NaN;
  if (Number.isNaN(time)) {
    const expected = "a valid Date or ISO-8601 with a zone, as in '2030-01-31T09:00:00Z'";
    throw new InvalidJobsOptionsError(path, expected, runAt);
  }
  return time;
}

/** Date.parse makes the 3rd of March of the 31st of February. */
function isDay(day: string): boolean {
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
