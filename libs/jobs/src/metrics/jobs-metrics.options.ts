import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
// Types only: the package is needed when the module is used, not when it is imported.
import type { Registry } from 'prom-client';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import { OptionReader } from '../options/option-reader.js';
import { TASK_HISTOGRAMS } from './metric-definitions.js';
import type { Buckets } from './task-tallies.js';

/** Upper bounds of the buckets of histograms, in seconds and rising. @publicApi */
export interface JobsMetricsBuckets {
  /** Of `jobs_duration_seconds`: how long attempts run. @default from 5 ms to 10 minutes */
  duration?: readonly number[];
  /** Of `jobs_wait_seconds`: how long jobs wait for a worker. @default from 5 ms to an hour */
  wait?: readonly number[];
  /** Of `jobs_schedule_lag_seconds`: how late schedules fire. @default from 50 ms to an hour */
  scheduleLag?: readonly number[];
}

/** Options of {@link JobsMetricsModule.forRoot}. @publicApi */
export interface JobsMetricsOptions {
  /**
   * Where the metrics are served, under the app's global prefix and in no version. False: nowhere, since the app has an
   * endpoint of its own that serves `register`.
   *
   * @default '/metrics'
   */
  path?: string | false;
  /**
   * Who may read them. They tell the names of tasks, queues and errors, and how many jobs there are. Without guards
   * everybody may.
   */
  guards?: readonly (Type<CanActivate> | CanActivate)[];
  /** What the guards, or the controller, inject that is not global. */
  imports?: NonNullable<ModuleMetadata['imports']>;
  /** Serves them in the place of the library's own; `path` is set on a subclass of it. */
  controller?: Type;
  /**
   * Where the metrics are registered.
   *
   * @default the global register of prom-client
   */
  register?: Registry;
  /** Before the name of each metric, as in `shop_`. @default none */
  prefix?: string;
  buckets?: JobsMetricsBuckets;
  /**
   * Whether those of prom-client are there too: CPU, memory, garbage collection, the lag of the event loop.
   *
   * @default false
   */
  defaultMetrics?: boolean;
  /**
   * Whether this process may be the one that tells the figures of the whole fleet, when it is scraped.
   *
   * @default true
   */
  fleetGauges?: boolean;
}

/** @internal */
export interface MetricsSettings extends Required<Pick<JobsMetricsOptions, 'path' | 'prefix' | 'fleetGauges'>> {
  readonly buckets: Buckets;
  readonly defaultMetrics: boolean;
  readonly guards: readonly (Type<CanActivate> | CanActivate)[];
  readonly imports: NonNullable<ModuleMetadata['imports']>;
  readonly controller: Type | undefined;
  readonly register: Registry | undefined;
}

const PATH = 'JobsMetricsModule';
const KEYS = [
  'path',
  'guards',
  'imports',
  'controller',
  'register',
  'prefix',
  'buckets',
  'defaultMetrics',
  'fleetGauges',
];
const PREFIX = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

const BUCKETS: Buckets = {
  duration: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600],
  wait: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600],
  scheduleLag: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600],
};

/** What is misspelt would be left out without a word. @throws {@link InvalidJobsOptionsError} @internal */
export function resolveMetricsOptions(options: JobsMetricsOptions): MetricsSettings {
  const reader = new OptionReader(options, PATH, KEYS);
  const { path = '/metrics', guards = [], imports = [], controller, register } = options;
  const check = (key: string, holds: boolean, expected: string): void => {
    if (!holds) throw new InvalidJobsOptionsError(reader.at(key), expected, reader.raw(key));
  };
  check('path', path === false || (typeof path === 'string' && path !== ''), "a path like '/metrics', or false");
  check('guards', Array.isArray(guards) && guards.every(isGuard), 'a list of guards: classes, or objects of them');
  check('imports', Array.isArray(imports), 'a list of modules');
  check('controller', controller === undefined || typeof controller === 'function', 'a controller class');
  check('register', register === undefined || isRegister(register), 'a Registry of prom-client');
  const prefix =
    reader.raw('prefix') === '' ? '' : reader.text('prefix', '', PREFIX, "letters, digits and _, as in 'shop_'");
  return {
    path,
    guards,
    imports,
    controller,
    register,
    prefix,
    buckets: bucketsOf(reader.raw('buckets')),
    defaultMetrics: reader.flag('defaultMetrics') ?? false,
    fleetGauges: reader.flag('fleetGauges') ?? true,
  };
}

function bucketsOf(value: unknown): Buckets {
  const reader = new OptionReader(value, `${PATH}.buckets`, Object.keys(TASK_HISTOGRAMS));
  const of = (key: keyof Buckets): readonly number[] => {
    const bounds = reader.raw(key);
    if (bounds === undefined) return BUCKETS[key];
    if (isRising(bounds)) return [...bounds];
    throw new InvalidJobsOptionsError(reader.at(key), 'a list of rising numbers of seconds above zero', bounds);
  };
  return { duration: of('duration'), wait: of('wait'), scheduleLag: of('scheduleLag') };
}

function isRising(bounds: unknown): bounds is readonly number[] {
  if (!Array.isArray(bounds) || bounds.length === 0) return false;
  const isNext = (bound: unknown, n: number): boolean =>
    typeof bound === 'number' && Number.isFinite(bound) && bound > ((bounds[n - 1] as number | undefined) ?? 0);
  return bounds.every(isNext);
}

function isGuard(guard: unknown): boolean {
  return typeof guard === 'function' || typeof (guard as Partial<CanActivate> | null)?.canActivate === 'function';
}

/** Of whatever copy of the package. */
function isRegister(value: unknown): boolean {
  const { registerMetric, metrics } = (value ?? {}) as Partial<Registry>;
  return typeof registerMetric === 'function' && typeof metrics === 'function';
}
