import { AsyncLocalStorage } from 'node:async_hooks';
import { attemptNumber, type ProgressRecord, type StoredJob } from '../client/envelope.js';
import { findNotJson } from '../client/json-check.js';

/**
 * What a task knows of the job it runs for, and what it can say about it: the second parameter of every task method.
 *
 * @publicApi
 */
export class JobContext {
  private static readonly storage = new AsyncLocalStorage<JobContext>();
  private readonly said: ProgressRecord;

  /** @internal */
  constructor(private readonly stored: StoredJob) {
    this.said = { attempt: attemptNumber(stored) };
  }

  /** The context of the task that the calling code runs in, at any depth; undefined outside of tasks. */
  static current(): JobContext | undefined {
    return JobContext.storage.getStore();
  }

  /** @internal */
  static run<T>(context: JobContext, work: () => T): T {
    return JobContext.storage.run(context, work);
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

  /** Which run of the job this is, from 1. A run whose process died counts. */
  get attempt(): number {
    return this.said.attempt;
  }

  /** How many runs the job may have in all. */
  get maxAttempts(): number {
    return this.stored.opts.attempts ?? 1;
  }

  /** When a delayed job was due. */
  get scheduledFor(): Date | undefined {
    const delay = this.stored.opts.delay ?? 0;
    return delay > 0 ? new Date(this.stored.timestamp + delay) : undefined;
  }

  /**
   * Names the stage that the work is in, for whoever polls the status; `meta` (JSON) is shown with it.
   *
   * The idea is Celery's `update_state`.
   */
  async stage(name: string, meta?: unknown): Promise<void> {
    this.said.stage = meta === undefined ? { name } : { name, meta: requireJson('stage', meta) };
    await this.stored.updateProgress({ ...this.said });
  }

  /** Says how far the work is: a percentage from 0 to 100, or an object of your own (JSON). */
  async progress(value: number | object): Promise<void> {
    if (typeof value === 'number' && !(value >= 0 && value <= 100)) {
      throw new TypeError(`nestjs-jobs: progress must be from 0 to 100 or an object, but is ${value}.`);
    }
    this.said.progress = requireJson('progress', value);
    await this.stored.updateProgress({ ...this.said });
  }

  /** Adds a line to the job's log. */
  async log(line: string): Promise<void> {
    await this.stored.log(line);
  }
}

function requireJson(method: string, value: unknown): unknown {
  const notJson = findNotJson(value);
  if (!notJson) return value;
  throw new TypeError(`nestjs-jobs: ${method}() takes JSON only, but ${notJson.path} is ${notJson.found}.`);
}
