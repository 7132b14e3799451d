import { JOB_ENDS, type JobEnd } from '../events/job-observer.js';
import { HistogramTally } from './histogram-tally.js';
import type { TASK_COUNTERS, TASK_HISTOGRAMS } from './metric-definitions.js';
import type { Sample } from './read-metric.js';

/** Names of errors that are told apart in a process: each of them is a time series for each task. */
const MOST_ERRORS = 100;
const LONGEST_ERROR = 100;
const OTHER = 'other';

/** Upper bounds of the buckets, in seconds. @internal */
export type Buckets = Readonly<Record<keyof typeof TASK_HISTOGRAMS, readonly number[]>>;

/** What is counted of the jobs of one task in one queue. @internal */
export class TaskTally {
  started = 0;
  retried = 0;
  snoozed = 0;
  limited = 0;
  stalled = 0;
  fired = 0;
  missed = 0;
  readonly finished = Object.fromEntries(JOB_ENDS.map((end) => [end, 0])) as Record<JobEnd, number>;
  readonly failed = new Map<string, number>();
  readonly duration: HistogramTally;
  readonly wait: HistogramTally;
  readonly scheduleLag: HistogramTally;

  constructor(
    readonly labels: { readonly task: string; readonly queue: string },
    buckets: Buckets,
  ) {
    this.duration = new HistogramTally(buckets.duration);
    this.wait = new HistogramTally(buckets.wait);
    this.scheduleLag = new HistogramTally(buckets.scheduleLag);
  }

  counted(counter: keyof typeof TASK_COUNTERS): Sample[] {
    const { labels } = this;
    switch (counter) {
      case 'finished':
        return JOB_ENDS.map((outcome) => ({ labels: { ...labels, outcome }, value: this.finished[outcome] }));
      case 'failed':
        return Array.from(this.failed, ([error, value]) => ({ labels: { ...labels, error }, value }));
      default:
        return [{ labels, value: this[counter] }];
    }
  }
}

/** What the apps that share a register have counted, by queue and task. @internal */
export class TaskTallies {
  private byQueue = new Map<string, Map<string, TaskTally>>();
  private readonly errors = new Set<string>();

  constructor(readonly buckets: Buckets) {}

  /** Of names of which there are not many. */
  of(queue: string, task: string): TaskTally {
    const found = this.byQueue.get(queue)?.get(task);
    if (found) return found;
    const tallies = this.byQueue.get(queue) ?? new Map<string, TaskTally>();
    this.byQueue.set(queue, tallies);
    const tally = new TaskTally({ task, queue }, this.buckets);
    tallies.set(task, tally);
    return tally;
  }

  /** The name under which an error is counted: whoever names his errors after what he was doing must not fill the memory. */
  errorName(name: string): string {
    const short = name.slice(0, LONGEST_ERROR);
    if (this.errors.has(short)) return short;
    if (this.errors.size >= MOST_ERRORS) return OTHER;
    this.errors.add(short);
    return short;
  }

  all(): TaskTally[] {
    return [...this.byQueue.values()].flatMap((tallies) => [...tallies.values()]);
  }

  reset(): void {
    this.byQueue = new Map();
  }
}
