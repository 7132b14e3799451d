/** What one metric is; the table in docs/metrics.md says the same. @internal */
export interface MetricDefinition {
  /** Without the prefix of the options. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly unit: string;
  /** What Prometheus shows. */
  readonly help: string;
}

const OF_TASK = ['task', 'queue'] as const;

const counter = (name: string, labels: readonly string[], unit: string, help: string): MetricDefinition => ({
  name,
  type: 'counter',
  labels,
  unit,
  help,
});

const gauge = (name: string, labels: readonly string[], unit: string, help: string): MetricDefinition => ({
  name,
  type: 'gauge',
  labels,
  unit,
  help,
});

const histogram = (name: string, help: string): MetricDefinition => ({
  name,
  type: 'histogram',
  labels: OF_TASK,
  unit: 'seconds',
  help,
});

/** What this process did, by task and queue. @internal */
export const TASK_COUNTERS = {
  started: counter('jobs_started_total', OF_TASK, 'attempts', 'Attempts that began'),
  finished: counter(
    'jobs_finished_total',
    [...OF_TASK, 'outcome'],
    'jobs',
    'Jobs that ended, once their end was stored',
  ),
  failed: counter(
    'jobs_failed_total',
    [...OF_TASK, 'error'],
    'jobs',
    'Jobs that failed for good, by the name of the error',
  ),
  retried: counter('jobs_retried_total', OF_TASK, 'attempts', 'Attempts that failed and are followed by another one'),
  snoozed: counter('jobs_snoozed_total', OF_TASK, 'attempts', 'Attempts that asked to run again later'),
  limited: counter('jobs_limited_total', OF_TASK, 'attempts', 'Times that a rate limit put an attempt off'),
  stalled: counter('jobs_stalled_total', OF_TASK, 'attempts', 'Attempts that a dead or frozen process left behind'),
  fired: counter('jobs_schedule_fired_total', OF_TASK, 'jobs', 'Jobs that schedules sent when their times had come'),
  missed: counter('jobs_schedule_missed_total', OF_TASK, 'times', 'Times of schedules that were not made up for'),
} as const satisfies Record<string, MetricDefinition>;

/** @internal */
export const TASK_HISTOGRAMS = {
  duration: histogram('jobs_duration_seconds', 'How long attempts ran'),
  wait: histogram('jobs_wait_seconds', 'From when a job could first run until its first attempt began'),
  scheduleLag: histogram('jobs_schedule_lag_seconds', 'From the time of a schedule until its job was sent'),
} as const satisfies Record<string, MetricDefinition>;

/** What this process counts without labels. @internal */
export const PROCESS_COUNTERS = {
  restarts: counter('jobs_watchdog_restarts_total', [], 'restarts', 'Times that the watchdog rebuilt connections'),
  listenerErrors: counter('jobs_event_listener_errors_total', [], 'calls', 'Calls of @OnJobEvent methods that failed'),
  listenerDropped: counter(
    'jobs_event_listener_dropped_total',
    [],
    'events',
    'Events that @OnJobEvent methods were not told of, being too slow',
  ),
} as const satisfies Record<string, MetricDefinition>;

/** What this process has right now. @internal */
export const PROCESS_GAUGES = {
  active: gauge('jobs_active', ['queue'], 'jobs', 'Jobs that this process runs'),
  workers: gauge(
    'jobs_workers',
    ['queue'],
    'workers',
    'Workers of this process that fetch jobs: one, or 0 while paused',
  ),
  slots: gauge('jobs_worker_slots', ['queue'], 'jobs', 'Jobs that this process would run at the same time at most'),
} as const satisfies Record<string, MetricDefinition>;

/** What the whole fleet has; one process tells it. @internal */
export const FLEET_GAUGES = {
  depth: gauge('jobs_queue_depth', ['queue', 'state'], 'jobs', 'Jobs of the fleet that have not ended, by state'),
  oldest: gauge('jobs_oldest_waiting_seconds', ['queue'], 'seconds', 'How long the oldest job has waited for a worker'),
  deadLetters: gauge(
    'jobs_dead_letters',
    ['queue'],
    'jobs',
    'Jobs that failed for good and are kept, redriven ones too',
  ),
  locksWaiting: gauge('jobs_locks_waiting', [], 'jobs', 'Jobs and code in a line before a lock or semaphore'),
} as const satisfies Record<string, MetricDefinition>;

/** All of them, in the order in which they are exported. @internal */
export const METRICS: readonly MetricDefinition[] = [
  TASK_COUNTERS,
  TASK_HISTOGRAMS,
  PROCESS_COUNTERS,
  PROCESS_GAUGES,
  FLEET_GAUGES,
].flatMap((group) => Object.values(group) as MetricDefinition[]);
