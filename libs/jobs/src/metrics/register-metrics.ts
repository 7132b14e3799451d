import type { Registry } from 'prom-client';
import type { Figures } from '../census/figures.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import { fleetSamples } from './fleet-samples.js';
import {
  FLEET_GAUGES,
  PROCESS_COUNTERS,
  PROCESS_GAUGES,
  TASK_COUNTERS,
  TASK_HISTOGRAMS,
  type MetricDefinition,
} from './metric-definitions.js';
import { ReadMetric, type Sample } from './read-metric.js';
import { TaskTallies, type Buckets } from './task-tallies.js';

/** How many jobs, by queue. @internal */
export type ByQueue = ReadonlyMap<string, number>;

/** An app that is up. What it has goes with it; what it has counted stays. @internal */
export interface LiveApp {
  counted(counter: keyof typeof PROCESS_COUNTERS): number;
  measured(gauge: keyof typeof PROCESS_GAUGES): ByQueue;
  /** Undefined when another process tells the figures of the fleet, or nobody can know them now. Never rejects. */
  fleet(): Promise<Figures | undefined>;
}

type Keys<Group> = readonly (keyof Group)[];

const keysOf = <Group extends object>(group: Group): Keys<Group> => Object.keys(group) as (keyof Group)[];

/** Of registers, by prefix. A process may have several apps that share a register, which belongs to none of them. */
const known = new WeakMap<Registry, Map<string, RegisterMetrics>>();

/**
 * The metrics of all apps that share a register: Prometheus must see one of each name.
 *
 * @internal
 */
export class RegisterMetrics {
  readonly tallies: TaskTallies;
  private readonly apps = new Set<LiveApp>();
  private readonly metrics: ReadMetric[];
  /** Under which a register has them: one of OpenMetrics gives counters other names when it is scraped. */
  private readonly names: readonly string[];
  /** What apps that are gone have counted. */
  private readonly past = new Map<keyof typeof PROCESS_COUNTERS, number>();

  private constructor(
    private readonly prefix: string,
    buckets: Buckets,
  ) {
    this.tallies = new TaskTallies(buckets);
    this.metrics = [
      ...keysOf(TASK_COUNTERS).map((key) => this.metric(TASK_COUNTERS[key], () => this.taskCounts(key))),
      ...keysOf(TASK_HISTOGRAMS).map((key) => this.metric(TASK_HISTOGRAMS[key], (name) => this.histograms(key, name))),
      ...keysOf(PROCESS_COUNTERS).map((key) => this.metric(PROCESS_COUNTERS[key], () => this.processCounts(key))),
      ...keysOf(PROCESS_GAUGES).map((key) => this.metric(PROCESS_GAUGES[key], () => this.processGauges(key))),
      ...keysOf(FLEET_GAUGES).map((key) => this.metric(FLEET_GAUGES[key], () => this.fleetGauges(key))),
    ];
    this.names = this.metrics.map(({ name }) => name);
  }

  /**
   * Those that are there already, or new ones.
   *
   * @throws {@link InvalidJobsOptionsError} when the register has other metrics of these names.
   */
  static in(register: Registry, prefix: string, buckets: Buckets): RegisterMetrics {
    const byPrefix = known.get(register) ?? new Map<string, RegisterMetrics>();
    known.set(register, byPrefix);
    const found = byPrefix.get(prefix);
    // Who clears a register, as tests do, wants to begin anew.
    if (found?.isIn(register)) {
      found.assertBuckets(buckets);
      return found;
    }
    const made = new RegisterMetrics(prefix, buckets);
    made.register(register);
    byPrefix.set(prefix, made);
    return made;
  }

  add(app: LiveApp): void {
    this.apps.add(app);
  }

  remove(app: LiveApp): void {
    if (!this.apps.delete(app)) return;
    for (const key of keysOf(PROCESS_COUNTERS)) this.past.set(key, (this.past.get(key) ?? 0) + app.counted(key));
  }

  private metric(definition: MetricDefinition, read: (name: string) => Sample[] | Promise<Sample[]>): ReadMetric {
    const name = this.prefix + definition.name;
    return new ReadMetric(
      { ...definition, name },
      () => read(name),
      () => this.tallies.reset(),
    );
  }

  private isIn(register: Registry): boolean {
    return this.names.every((name, n) => register.getSingleMetric(name) === this.metrics[n]!.asMetric());
  }

  private register(register: Registry): void {
    const taken = this.metrics.find(({ name }) => register.getSingleMetric(name) !== undefined);
    if (taken) {
      throw new InvalidJobsOptionsError(
        'JobsMetricsModule.prefix',
        `one under which the register has no other metrics; it has ${taken.name} already`,
        this.prefix,
      );
    }
    for (const metric of this.metrics) register.registerMetric(metric.asMetric());
  }

  private assertBuckets(buckets: Buckets): void {
    if (JSON.stringify(buckets) === JSON.stringify(this.tallies.buckets)) return;
    throw new InvalidJobsOptionsError(
      'JobsMetricsModule.buckets',
      'the same in all apps that share a register, or each app must have a register of its own',
      buckets,
    );
  }

  private taskCounts(key: keyof typeof TASK_COUNTERS): Sample[] {
    return this.tallies.all().flatMap((tally) => tally.counted(key));
  }

  private histograms(key: keyof typeof TASK_HISTOGRAMS, name: string): Sample[] {
    return this.tallies.all().flatMap((tally) => tally[key].samples(name, tally.labels));
  }

  private processCounts(key: keyof typeof PROCESS_COUNTERS): Sample[] {
    const counts = [...this.apps].map((app) => app.counted(key));
    return [{ labels: {}, value: counts.reduce((sum, count) => sum + count, this.past.get(key) ?? 0) }];
  }

  private processGauges(key: keyof typeof PROCESS_GAUGES): Sample[] {
    return oneOfEach(
      [...this.apps].flatMap((app) =>
        Array.from(app.measured(key), ([queue, value]) => ({ labels: { queue }, value })),
      ),
      add,
    );
  }

  private async fleetGauges(key: keyof typeof FLEET_GAUGES): Promise<Sample[]> {
    const figures = await Promise.all(Array.from(this.apps, (app) => app.fleet()));
    const samples = figures.flatMap((each) => (each ? fleetSamples(key, each) : []));
    // Apps that have stores of their own have jobs of their own, but none of these has waited for longer.
    return oneOfEach(samples, key === 'oldest' ? Math.max : add);
  }
}

const add = (one: number, other: number): number => one + other;

/** Two lines with the same labels would be an error. */
function oneOfEach(samples: readonly Sample[], together: (one: number, other: number) => number): Sample[] {
  const byLabels = new Map<string, Sample>();
  for (const { labels, value } of samples) {
    const key = JSON.stringify(labels);
    byLabels.set(key, { labels, value: together(value, byLabels.get(key)?.value ?? 0) });
  }
  return [...byLabels.values()];
}
