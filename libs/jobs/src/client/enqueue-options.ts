import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { Duration } from '../options/jobs-options.js';
import { OptionReader, parseDuration } from '../options/option-reader.js';
import { InvalidEnqueueOptionsError } from './client.errors.js';

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

/**
 * Options of one enqueued job.
 *
 * @publicApi
 */
export type EnqueueOptions = Start & {
  /** A declared queue instead of the task's. */
  queue?: string;
  /** From 0 to 9, 9 first. @default 5 */
  priority?: number;
};

/** @internal */
export interface ResolvedEnqueueOptions {
  readonly queue: string | undefined;
  /** Milliseconds. */
  readonly delay: number;
  readonly priority: number;
}

const ISO_WITH_ZONE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
/** The last time that a Date can be. */
const LATEST = 8.64e15;
const NONE: ResolvedEnqueueOptions = { queue: undefined, delay: 0, priority: Priority.normal };

/** @internal */
export function resolveEnqueueOptions(options: EnqueueOptions | undefined, now: number): ResolvedEnqueueOptions {
  if (options === undefined) return NONE;
  try {
    const reader = new OptionReader(options, '', ['delay', 'runAt', 'queue', 'priority']);
    if (options.queue !== undefined && typeof options.queue !== 'string') {
      throw new InvalidJobsOptionsError('queue', 'the name of a declared queue', options.queue);
    }
    const priority = options.priority ?? Priority.normal;
    return {
      queue: options.queue,
      delay: resolveDelay(options, now),
      priority: reader.check(
        'priority',
        priority,
        (n) => Number.isInteger(n) && n >= 0 && n <= 9,
        'a whole number from 0 to 9',
      ),
    };
  } catch (error) {
    throw error instanceof Error ? new InvalidEnqueueOptionsError(error.message, { cause: error }) : error;
  }
}

function resolveDelay({ delay, runAt }: { delay?: unknown; runAt?: unknown }, now: number): number {
  if (delay !== undefined && runAt !== undefined) {
    throw new InvalidJobsOptionsError('runAt', 'absent beside "delay": a job starts after one or at the other', runAt);
  }
  if (runAt !== undefined) return Math.max(0, toTime(runAt) - now);
  if (delay === undefined) return 0;
  const parsed = parseDuration(delay);
  if (parsed === undefined || !Number.isFinite(parsed) || parsed < 0) {
    throw new InvalidJobsOptionsError('delay', "a duration from zero: milliseconds or a string like '10m'", delay);
  }
  if (parsed > LATEST - now) throw new InvalidJobsOptionsError('delay', 'short enough to end on a date', delay);
  return Math.round(parsed);
}

function toTime(runAt: unknown): number {
  const time =
    runAt instanceof Date
      ? runAt.getTime()
      : typeof runAt === 'string' && ISO_WITH_ZONE.test(runAt) && isDay(runAt.slice(0, 10))
        ? Date.parse(runAt)
        : Number.NaN;
  if (Number.isNaN(time)) {
    throw new InvalidJobsOptionsError(
      'runAt',
      "a valid Date or ISO-8601 with a zone, as in '2030-01-31T09:00:00Z'",
      runAt,
    );
  }
  return time;
}

/** Date.parse makes the 3rd of March of the 31st of February. */
function isDay(day: string): boolean {
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
