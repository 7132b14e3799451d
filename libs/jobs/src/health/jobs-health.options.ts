import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { Duration } from '../options/jobs-options.js';
import { assertDeclaredQueue, OptionReader } from '../options/option-reader.js';

/** From how many on. At least one of the two; `down` is not below `degraded`. @publicApi */
export interface CountThreshold {
  degraded?: number;
  down?: number;
}

/** From how long on. At least one of the two; `down` is not below `degraded`. @publicApi */
export interface DurationThreshold {
  degraded?: Duration;
  down?: Duration;
}

/** What is too much in a queue. What is left out is never too much. @publicApi */
export interface QueueThresholds {
  /** Jobs that wait for a worker. */
  backlog?: CountThreshold;
  /** How long the one has waited that waits longest. */
  oldest?: DurationThreshold;
  /** Jobs that failed for good; counted up to 10,000. */
  deadLetters?: CountThreshold;
}

/** @publicApi */
export interface JobsHealthOptions {
  /**
   * By queue. Those of `'*'` are for each queue that does not have its own for the same thing; `{}` in their place means
   * none.
   */
  thresholds?: Record<string, QueueThresholds>;
  /** How late the schedule may be that is latest. @default { degraded: '1m' } */
  scheduleLag?: DurationThreshold;
  /**
   * How old what was counted may be. While somebody asks, it is counted in the background, for the whole fleet together.
   *
   * @default '15s'
   */
  refresh?: Duration;
  /**
   * What Terminus is told in the place of `degraded`, of {@link JobsHealthIndicator.isHealthy}. Terminus 12 answers 200 to
   * `degraded`; older ones do not know it and leave it out: give `'up'`. `'down'` answers 503.
   *
   * @default 'degraded'
   */
  degradedAs?: 'up' | 'degraded' | 'down';
}

/** Milliseconds, or a number of jobs. @internal */
export interface Threshold {
  readonly degraded?: number;
  readonly down?: number;
}

/** @internal */
export interface ResolvedThresholds {
  readonly backlog: Threshold;
  readonly oldest: Threshold;
  readonly deadLetters: Threshold;
}

/** @internal */
export interface ResolvedHealthOptions {
  readonly thresholdsOf: (queue: string) => ResolvedThresholds;
  readonly scheduleLag: Threshold;
  readonly refresh: number;
  readonly degradedAs: 'up' | 'degraded' | 'down';
}

const MODULE = 'JobsHealthModule';
const KEYS = ['thresholds', 'scheduleLag', 'refresh', 'degradedAs'];
const OF_A_QUEUE = ['backlog', 'oldest', 'deadLetters'];
const LEVELS = ['degraded', 'down'];
const ALL = '*';
const NONE: ResolvedThresholds = { backlog: {}, oldest: {}, deadLetters: {} };
const LATE = 60_000;
const REFRESH = 15_000;
/** Years, which no timer measures. */
const LONGEST = 10 * 365 * 24 * 3_600_000;

type Reading = (reader: OptionReader, level: string) => number | undefined;

/** @throws {@link InvalidJobsOptionsError}, {@link UnknownJobsOptionError} @internal */
export function resolveHealthOptions(options: unknown, queues: ReadonlyMap<string, unknown>): ResolvedHealthOptions {
  const reader = OptionReader.of(options, MODULE, KEYS, "an object like { thresholds: { '*': { ... } } }");
  const thresholds = thresholdsByQueue(reader.raw('thresholds'), reader.at('thresholds'), queues);
  const scheduleLag = thresholdAt(reader.raw('scheduleLag'), reader.at('scheduleLag'), duration);
  const degradedAs = reader.raw('degradedAs') ?? 'degraded';
  if (!isDegradedAs(degradedAs)) {
    throw new InvalidJobsOptionsError(reader.at('degradedAs'), "'up', 'degraded' or 'down'", degradedAs);
  }
  return {
    thresholdsOf: (queue) => ({ ...NONE, ...thresholds.get(ALL), ...thresholds.get(queue) }),
    scheduleLag: scheduleLag ?? { degraded: LATE },
    refresh: reader.duration('refresh', REFRESH),
    degradedAs,
  };
}

function thresholdsByQueue(
  value: unknown,
  path: string,
  queues: ReadonlyMap<string, unknown>,
): Map<string, Partial<ResolvedThresholds>> {
  const byQueue = new Map<string, Partial<ResolvedThresholds>>();
  if (value === undefined) return byQueue;
  const expected = "an object of thresholds by queue, like { '*': { backlog: { degraded: 1000 } } }";
  const given = OptionReader.of(value, path, keysOf(value), expected);
  for (const [name, ofQueue] of Object.entries(given.all())) {
    if (name !== ALL) assertDeclaredQueue(name, given.at(name), queues);
    const reader = OptionReader.of(ofQueue, given.at(name), OF_A_QUEUE, 'an object like { backlog: ..., oldest: ... }');
    const read = (key: string, how: Reading): Threshold | undefined =>
      thresholdAt(reader.raw(key), reader.at(key), how);
    const backlog = read('backlog', count);
    const oldest = read('oldest', duration);
    const deadLetters = read('deadLetters', count);
    byQueue.set(name, { ...(backlog && { backlog }), ...(oldest && { oldest }), ...(deadLetters && { deadLetters }) });
  }
  return byQueue;
}

function keysOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

function thresholdAt(value: unknown, path: string, read: Reading): Threshold | undefined {
  if (value === undefined) return undefined;
  const reader = OptionReader.of(value, path, LEVELS, 'an object like { degraded: ..., down: ... }');
  const [degraded, down] = LEVELS.map((level) => (reader.raw(level) === undefined ? undefined : read(reader, level)));
  if (degraded !== undefined && down !== undefined && down < degraded) {
    throw new InvalidJobsOptionsError(reader.at('down'), `at least ${path}.degraded`, reader.raw('down'));
  }
  return { ...(degraded !== undefined && { degraded }), ...(down !== undefined && { down }) };
}

function count(reader: OptionReader, level: string): number {
  return reader.count(level, 0);
}

function duration(reader: OptionReader, level: string): number {
  return reader.duration(level, 0, LONGEST);
}

function isDegradedAs(value: unknown): value is ResolvedHealthOptions['degradedAs'] {
  return value === 'up' || value === 'degraded' || value === 'down';
}
