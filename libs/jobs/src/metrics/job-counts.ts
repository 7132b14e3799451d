import type { StoredJob } from '../client/envelope.js';
import type { JobEnd, JobObserver } from '../events/job-observer.js';
import type { FireObserver } from '../schedule/schedule-fires.js';
import type { TaskTallies, TaskTally } from './task-tallies.js';

/** In the place of a name that this process does not know. */
const UNKNOWN = 'unknown';

/** Which names become labels: all others could be any number. @internal */
export interface KnownNames {
  hasTask(name: string): boolean;
  hasQueue(name: string): boolean;
}

/** Counts what one app does. @internal */
export class JobCounts implements JobObserver, FireObserver {
  constructor(
    private readonly tallies: TaskTallies,
    private readonly known: KnownNames,
  ) {}

  began(job: StoredJob, waited: number | undefined): void {
    const tally = this.tallyOf(job);
    tally.started++;
    if (waited !== undefined) tally.wait.add(waited);
  }

  ended(job: StoredJob, end: JobEnd, duration: number | undefined, error?: string): void {
    const tally = this.tallyOf(job);
    tally.finished[end]++;
    if (duration !== undefined) tally.duration.add(duration);
    if (error === undefined) return;
    const name = this.tallies.errorName(error);
    tally.failed.set(name, (tally.failed.get(name) ?? 0) + 1);
  }

  retrying(job: StoredJob, duration: number | undefined): void {
    const tally = this.tallyOf(job);
    tally.retried++;
    if (duration !== undefined) tally.duration.add(duration);
  }

  snoozed(job: StoredJob): void {
    this.tallyOf(job).snoozed++;
  }

  limited(job: StoredJob): void {
    this.tallyOf(job).limited++;
  }

  stalled(job: StoredJob): void {
    this.tallyOf(job).stalled++;
  }

  settled(task: string, queue: string, lags: readonly number[], missed: number): void {
    const tally = this.tally(queue, task);
    tally.fired += lags.length;
    tally.missed += missed;
    for (const lag of lags) tally.scheduleLag.add(lag);
  }

  /** So that its counters are there, and zero, before something happens: an increase from nothing is none. */
  expect(queue: string, task: string): void {
    this.tally(queue, task);
  }

  private tallyOf({ queueName, name }: StoredJob): TaskTally {
    return this.tally(queueName, name);
  }

  private tally(queue: string, task: string): TaskTally {
    const { tallies, known } = this;
    return tallies.of(known.hasQueue(queue) ? queue : UNKNOWN, known.hasTask(task) ? task : UNKNOWN);
  }
}
