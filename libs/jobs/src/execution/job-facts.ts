import { maxAttempts, type StoredJob } from '../client/envelope.js';
import { AttemptSays } from './attempt-says.js';

/** What a task can read of the job that it runs for. */
export abstract class JobFacts {
  /** @internal */
  protected readonly says: AttemptSays;

  /** @internal */
  constructor(
    /** @internal */
    protected readonly stored: StoredJob,
  ) {
    this.says = new AttemptSays(stored);
  }

  /** The job's id, as `enqueue` gave it. */
  get id(): string {
    return this.stored.id!;
  }

  /** The task's name. */
  get task(): string {
    return this.stored.name;
  }

  get queue(): string {
    return this.stored.queueName;
  }

  /** Which run of the job this is, from 1. A run whose process died counts, one that ended with {@link Snooze} does not. */
  get attempt(): number {
    return this.says.record.attempt;
  }

  /** How many runs the job may have in all. */
  get maxAttempts(): number {
    return maxAttempts(this.stored);
  }

  /** The job that this one was enqueued from, directly or over others; its own id when there is none. */
  get rootId(): string {
    return this.stored.data.r ?? this.id;
  }

  /** The node of the flow that this job is a part of; undefined for every other job. */
  get parentId(): string | undefined {
    return this.stored.parent?.id;
  }

  /** What the enqueuer gave along; jobs that this one enqueues inherit it. */
  get headers(): Readonly<Record<string, string>> {
    return this.stored.data.h ?? {};
  }

  get tags(): readonly string[] {
    return this.stored.data.t ?? [];
  }

  /** When this run was due, for a delayed job and after a {@link Snooze}; undefined for one that may run at once. */
  get scheduledFor(): Date | undefined {
    const { snoozedUntil } = this.says.record;
    if (snoozedUntil !== undefined) return new Date(snoozedUntil);
    const delay = this.stored.opts.delay ?? 0;
    return delay > 0 ? new Date(this.stored.timestamp + delay) : undefined;
  }
}
