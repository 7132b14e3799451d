import { toTime } from '../client/enqueue-options.js';
import type { StoredJob } from '../client/envelope.js';
import { readStatus } from '../client/read-status.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import { isPlainObject, OptionReader } from '../options/option-reader.js';
import { taskPattern } from '../options/task-pattern.js';
import type { TaskRef } from '../task/task-ref.js';
import { InvalidDeadLetterFilterError } from './dead-letter.errors.js';
import { placeOf, type Place } from './page-cursor.js';

/**
 * Which dead letters are meant: those that every key fits. `{}` means all.
 *
 * @publicApi
 */
export interface DeadLetterFilter {
  /** A task, or a name in which `*` stands for any characters and `?` for one, as in `'payment.*'`. */
  task?: TaskRef | string;
  /** A declared queue. */
  queue?: string;
  /** The name of the error that the job failed with, as in `'TypeError'`. */
  error?: string;
  /** One of the job's tags. */
  tag?: string;
  /** Failed at this time or later: a Date, or ISO-8601 with a time zone. */
  from?: Date | string;
  /** Failed before this time. */
  to?: Date | string;
  /** True: only those that were redriven. False: only those that were not. */
  redriven?: boolean;
}

/** A filter, how many, and after which. @publicApi */
export interface DeadLetterListOptions extends DeadLetterFilter {
  /** Letters in the page, from 1 to 1,000. @default 50 */
  limit?: number;
  /** The `nextCursor` of the page before. It says where to go on, and not what the filter was: give that again. */
  cursor?: string;
}

/** @internal */
export interface ResolvedFilter {
  readonly queues: readonly string[];
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  /** What only the job itself can tell; undefined when queue and time say it all. */
  readonly fits: ((job: StoredJob) => boolean) | undefined;
}

/** @internal */
export interface ResolvedList {
  readonly filter: ResolvedFilter;
  readonly limit: number;
  readonly after: Place | undefined;
}

type Queues = ReadonlyMap<string, unknown>;

const DEFAULT_LIMIT = 50;
const MOST_LIMIT = 1_000;
const KEYS = ['task', 'queue', 'error', 'tag', 'from', 'to', 'redriven'];
const EXPECTED = "an object like { task: 'payment.*' }; {} means all dead letters";

/** @throws {@link InvalidDeadLetterFilterError} @internal */
export function readFilter(filter: unknown, queues: Queues): ResolvedFilter {
  return asFilterError(() => resolveFilter(OptionReader.of(filter, '', KEYS, EXPECTED), queues));
}

/**
 * For what is done to all that fit: there must be a filter, and a key that is there must have a value, since what comes
 * of `{ task: config.task }` would else be everything.
 *
 * @throws {@link InvalidDeadLetterFilterError}
 * @internal
 */
export function readFilterOfAll(filter: unknown, queues: Queues): ResolvedFilter {
  return asFilterError(() => {
    const reader = OptionReader.of(filter, '', KEYS, EXPECTED);
    for (const [key, value] of Object.entries(filter as object)) {
      if (value !== undefined) continue;
      throw new InvalidJobsOptionsError(key, 'a value, or left out: without it all dead letters are meant', value);
    }
    return resolveFilter(reader, queues);
  });
}

/** @throws {@link InvalidDeadLetterFilterError} @internal */
export function readList(options: unknown, queues: Queues): ResolvedList {
  return asFilterError(() => {
    const expected = "an object like { task: 'payment.*', limit: 20 }";
    const reader = OptionReader.of(options, '', [...KEYS, 'limit', 'cursor'], expected);
    return {
      filter: resolveFilter(reader, queues),
      limit: reader.count('limit', DEFAULT_LIMIT, MOST_LIMIT),
      after: placeOf(reader.raw('cursor'), 'cursor'),
    };
  });
}

/** Whether a job fits in what only the job itself can tell. @internal */
export function fits(filter: ResolvedFilter, job: StoredJob): boolean {
  return filter.fits === undefined || filter.fits(job);
}

function resolveFilter(reader: OptionReader, queues: Queues): ResolvedFilter {
  const queue = reader.declaredQueue('queue', queues);
  const time = (key: 'from' | 'to', open: number): number => {
    const value = reader.raw(key);
    return value === undefined ? open : toTime(value, key);
  };
  return {
    queues: queue === undefined ? [...queues.keys()] : [queue],
    from: time('from', 0),
    to: time('to', Number.MAX_SAFE_INTEGER),
    fits: fitsAll([readTask(reader), readError(reader), readTag(reader), readRedriven(reader)]),
  };
}

type Fits = ResolvedFilter['fits'];

function readTask(reader: OptionReader): Fits {
  const task = reader.raw('task');
  if (task === undefined) return undefined;
  const name = isPlainObject(task) ? task['name'] : task;
  if (typeof name !== 'string' || name === '') {
    throw new InvalidJobsOptionsError(
      'task',
      "a task as task(Class, 'method') gives it, or a name like 'mail.*'",
      task,
    );
  }
  if (isPlainObject(task)) return (job) => job.name === name;
  const pattern = taskPattern(name);
  return (job) => pattern.test(job.name);
}

function readError(reader: OptionReader): Fits {
  const name = readText(reader, 'error', "the name of an error, as in 'TypeError'");
  return name === undefined ? undefined : (job) => readStatus(job, 'failed').error?.name === name;
}

/**
 * By the tags in the jobs. The index by tag would be quicker for a rare tag, but it lets go of a job some time after it
 * was enqueued, whenever that fails.
 */
function readTag(reader: OptionReader): Fits {
  const tag = readText(reader, 'tag', 'a tag');
  return tag === undefined ? undefined : (job) => job.data.t?.includes(tag) === true;
}

function readRedriven(reader: OptionReader): Fits {
  const redriven = reader.flag('redriven');
  return redriven === undefined ? undefined : (job) => (job.data.w !== undefined) === redriven;
}

function readText(reader: OptionReader, key: string, expected: string): string | undefined {
  const value = reader.raw(key);
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  throw new InvalidJobsOptionsError(key, expected, value);
}

function fitsAll(conditions: readonly Fits[]): Fits {
  const given = conditions.filter((condition) => condition !== undefined);
  return given.length === 0 ? undefined : (job) => given.every((holds) => holds(job));
}

function asFilterError<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    const { message } = error as Error;
    throw new InvalidDeadLetterFilterError(message.replace('option ""', 'the filter'), { cause: error });
  }
}
