import type { SqlTransaction } from '../backend/sql-transaction.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { Duration } from '../options/jobs-options.js';
import { OptionReader, parseDuration } from '../options/option-reader.js';
import type { CallSettings } from '../task/task.settings.js';
import { InvalidEnqueueOptionsError } from './client.errors.js';
import { readHeaders, readTags, type JobHeaders } from './headers-and-tags.js';
import { resolveTransaction, type EnqueueTransaction } from './enqueue-transaction.js';
import { CALLERS_ID, CALLERS_ID_RULE } from './job-id.js';
import { readUniqueness, type Uniqueness } from './uniqueness.js';
import type { DebounceOptions, ThrottleOptions, UniqueOptions } from './unique-options.js';

/**
 * Names for the priorities from 0 to 9: 9 runs first, as in Celery on RabbitMQ.
 *
 * @publicApi
 */
export const Priority = { bulk: 0, low: 2, normal: 5, high: 7, critical: 9 } as const;

/** When a job may run at the earliest: after `delay`, or at `runAt`; never both. */
type Start =
  | { /** How long to wait. @default 0 */ delay?: Duration; runAt?: never }
  | { /** A Date, or ISO-8601 with a time zone. A past time means now. */ runAt?: Date | string; delay?: never };

/** Whether a job of its own is made by the call; one of these at most. */
type Distinction =
  | {
      /**
       * An id of your own, `[A-Za-z0-9._-]{1,128}`; the job's id is then `<queue>_<id>`. While that queue keeps a job of this
       * id, waiting, running or ended, no second one is made: the handle is that of the first, with `created: false`, whatever
       * task, payload and options this call has. Once the ended job is not kept any more (`results.keepFor`,
       * `results.keepFailedFor`), the id is free again. Costs a second round trip.
       *
       * What is enqueued without one has an id that nobody can guess; of your own ids that is for you to see to.
       *
       * @default `<queue>_` and a uuid of version 7
       */
      id?: string;
      unique?: never;
      debounce?: never;
      throttle?: never;
    }
  | {
      /** At most one job with this key, while it waits and runs, until it has started, or for a time. @default none */
      unique?: UniqueOptions;
      id?: never;
      debounce?: never;
      throttle?: never;
    }
  | {
      /** The first job with this key, and no other one for a time. @default none */
      throttle?: ThrottleOptions;
      id?: never;
      unique?: never;
      debounce?: never;
    }
  | {
      /** One job for many calls with this key, when they have ceased. Says when it runs, so there is no `delay`. @default none */
      debounce?: DebounceOptions;
      id?: never;
      unique?: never;
      throttle?: never;
      delay?: never;
      runAt?: never;
    };

/** Where a job waits, and how urgent it is there. */
interface Placement {
  /** A declared queue. @default that of the task, of its route, or the `defaultQueue` */
  queue?: string;
  /** From 0 to 9, 9 first. @default that of the task, of its route, or 5 */
  priority?: number;
}

/** What a job is known by and carries along, and how long it is good for. */
interface Particulars {
  /**
   * Text for the task and for the jobs that it enqueues in turn, which inherit it; a header of the call's own goes before
   * an inherited one of the same name. Names are `[A-Za-z0-9._-]{1,128}`, all headers together at most 8 kB of JSON.
   *
   * @default those of the job that enqueues this one
   */
  headers?: Readonly<Record<string, string>>;
  /**
   * Up to 16 labels of 1 to 64 characters, shown in the status. Not inherited. Jobs are indexed by them, in one more round
   * trip: for as long as the job's delay, the longer of `results.keepFor` and `results.keepFailedFor`, and seven days
   * together; what waits for longer than that drops out of the index, and out of nothing else. The index is written
   * before the job, and also with `transaction` at once: after a ROLLBACK it names a job that never was, until then. That
   * takes a second client of the jobs' pool, so a pool of yours needs more clients than run such transactions at a time.
   *
   * @default none
   */
  tags?: readonly string[];
  /**
   * How long after its time has come (at once, or after `delay` or at `runAt`) the job may still start: milliseconds or
   * `'10m'`. One that did not ends `cancelled` with the reason `expired`. `false`: for ever.
   *
   * @default that of the task, or of its queue, or false
   */
  expiresIn?: Duration | false;
  /** False: what the task returns is not stored, and `result()` gives null. @default that of the task, or of its queue, or true */
  keepResult?: boolean;
}

/**
 * Options of one entry of `enqueueMany`: those of `enqueue` but `transaction`, which the whole list has.
 *
 * @publicApi
 */
export type EnqueueEntryOptions = Start & Distinction & Placement & Particulars & { transaction?: never };

/**
 * Options of one enqueued job.
 *
 * @publicApi
 */
export type EnqueueOptions = Start & Distinction & Placement & Particulars & EnqueueTransaction;

/** @internal */
export interface ResolvedEntryOptions extends CallSettings {
  /** Milliseconds. */
  readonly delay: number;
  /** Milliseconds since the epoch: when `delay` began. */
  readonly calledAt: number;
  /** The caller's part of the job's id. */
  readonly id?: string | undefined;
  readonly uniqueness?: Uniqueness | undefined;
  readonly headers?: JobHeaders | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** @internal */
export interface ResolvedEnqueueOptions extends ResolvedEntryOptions {
  readonly transaction: SqlTransaction | undefined;
}

const ENTRY_KEYS = [
  'delay',
  'runAt',
  'queue',
  'priority',
  'id',
  'unique',
  'debounce',
  'throttle',
  'headers',
  'tags',
  'expiresIn',
  'keepResult',
];
const ISO_WITH_ZONE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
/** The last time that a Date can be. */
const LATEST = 8.64e15;
/** @internal */
export function resolveEnqueueOptions(options: EnqueueOptions | undefined, now: number): ResolvedEnqueueOptions {
  if (options === undefined) return { delay: 0, calledAt: now, transaction: undefined };
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
  if (options === undefined) return none(now);
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

function none(now: number): ResolvedEntryOptions {
  return { delay: 0, calledAt: now };
}

function resolveEntry(reader: OptionReader, now: number): ResolvedEntryOptions {
  const queue = reader.raw('queue');
  if (queue !== undefined && typeof queue !== 'string') {
    throw new InvalidJobsOptionsError(reader.at('queue'), 'the name of a declared queue', queue);
  }
  const id = reader.raw('id');
  if (id !== undefined && (typeof id !== 'string' || !CALLERS_ID.test(id))) {
    throw new InvalidJobsOptionsError(reader.at('id'), CALLERS_ID_RULE, id);
  }
  const uniqueness = readUniqueness(reader, LATEST - now);
  return {
    queue,
    id,
    uniqueness,
    delay: uniqueness?.wait ?? resolveDelay(reader, now),
    calledAt: now,
    priority: reader.priority('priority'),
    expiresIn: reader.expiry('expiresIn'),
    keepResult: reader.flag('keepResult'),
    headers: readHeaders(reader.raw('headers'), reader.at('headers')),
    tags: readTags(reader.raw('tags'), reader.at('tags')),
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

/** Milliseconds since the epoch. @throws {@link InvalidJobsOptionsError} that names `path`. @internal */
export function toTime(runAt: unknown, path: string): number {
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
