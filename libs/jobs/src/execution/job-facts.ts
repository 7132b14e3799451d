import { maxAttempts, type StoredJob } from '../client/envelope.js';
import { AttemptSays } from './attempt-says.js';

/** What a job knows of the schedule that has sent it. @publicApi */
export interface JobSchedule {
  readonly name: string;
  /** Its nominal time: what the clock said when it was due. */
  readonly scheduledFor: Date;
  /** The nominal time of the job before, if there was one. */
  readonly previous?: Date;
  /** How much later (ms) than its nominal time it was sent. */
  readonly lag: number;
  /** `schedule`: its time had come; `trigger` and `backfill`: somebody wanted it. */
  readonly by: 'schedule' | 'trigger' | 'backfill';
}

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

  /** Which fire of which schedule this job is; undefined for one that no schedule has sent. */
  get schedule(): JobSchedule | undefined {
    const fire = this.stored.data.e;
    if (!fire) return undefined;
    const { s: name, at, by, p, h } = fire;
    return {
      name,
      scheduledFor: new Date(at),
      ...(p !== undefined && { previous: new Date(p) }),
      lag: Math.max(0, by - at),
      by: h ?? 'schedule',
    };
  }

  /** For how long (ms) the run before asked to wait, by {@link Snooze}; undefined when it did not. */
  get snoozedFor(): number | undefined {
    return this.says.record.snoozedFor;
  }

  /**
   * When this run was due, for a delayed job and after a {@link Snooze}; the nominal time of one that a schedule has sent;
   * undefined for one that may run at once.
   */
  get scheduledFor(): Date | undefined {
    const { snoozedUntil } = this.says.record;
    if (snoozedUntil !== undefined) return new Date(snoozedUntil);
    if (this.stored.data.e) return new Date(this.stored.data.e.at);
    const delay = this.stored.opts.delay ?? 0;
    return delay > 0 ? new Date(this.stored.timestamp + delay) : undefined;
  }
}
