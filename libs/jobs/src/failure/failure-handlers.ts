import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { LedgerValue } from '../backend/ledger.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { namesOf } from '../retry/error-match.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { TaskRegistry } from '../task/task.registry.js';
import { ruleFits, type FailureRule } from './failure-rule.js';

/** What a process has to know of a handler to make its jobs. @internal */
export type FailureHandler = FailureRule & {
  /** Of its task. */
  readonly name: string;
  readonly queue: string;
  readonly attempts: number;
  /** On Celery's scale. */
  readonly priority: number;
  /** Milliseconds, or null for ever. */
  readonly expiresIn: number | null;
  readonly keepResult: boolean;
};

const COLLECTION = 'failure-handlers';
const ANNOUNCED_EVERY = 60_000;
const TRIED_AGAIN_AFTER = 2_000;
/** However short failed jobs are kept: until it is announced again, and somewhat longer. */
const SHORTEST_REMEMBERED = 5 * ANNOUNCED_EVERY;

/** The handlers of failures of the whole fleet: every process with the code of some announces them. @internal */
@Injectable()
export class FailureHandlers implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Jobs');
  private readonly own = new Map<string, FailureHandler>();
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;
  private wasRefused = false;

  constructor(
    private readonly registry: TaskRegistry,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** Waits for a store that is there, so that after the boot the handlers count wherever a job fails. */
  async onApplicationBootstrap(): Promise<void> {
    for (const task of this.registry.all())
      if (task.failures) this.own.set(task.name, announcementOf(task, task.failures));
    if (this.own.size === 0) return;
    const announced = this.keepAnnounced();
    // Nobody else can be there to be told.
    if (this.backend.kind !== 'embedded') await settlesWithin(this.options.connectTimeout, announced);
  }

  onModuleDestroy(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  /** Those for a job of this task that failed with this error. */
  async of(task: string, error: unknown): Promise<FailureHandler[]> {
    const names = namesOf(error);
    return (await this.all()).filter((handler) => ruleFits(handler, task, names));
  }

  /** Those for a job of this task, whatever it fails with. */
  async ofTask(task: string): Promise<FailureHandler[]> {
    return (await this.all()).filter(({ tasks }) => ruleFits({ tasks, errors: null }, task, []));
  }

  private async all(): Promise<FailureHandler[]> {
    const handlers = new Map<string, FailureHandler>();
    for (const { key, value } of await this.backend.ledger.list(COLLECTION)) {
      handlers.set(key, value as FailureHandler & LedgerValue);
    }
    for (const [name, handler] of this.own) handlers.set(name, handler);
    return [...handlers.values()];
  }

  /** No worker has its code any more. A process that does have it announces it again. */
  async forget(name: string): Promise<void> {
    await this.backend.ledger.delete(COLLECTION, name);
  }

  private async keepAnnounced(): Promise<void> {
    let pause = ANNOUNCED_EVERY;
    try {
      await this.backend.whenReady(this.options.connectTimeout);
      const ttl = Math.max(this.options.keepFailedFor, SHORTEST_REMEMBERED);
      const { ledger } = this.backend;
      await Promise.all([...this.own].map(([name, handler]) => ledger.put(COLLECTION, name, handler, ttl)));
    } catch (error) {
      const isAway = this.backend.isConnectionError(error) || error instanceof BackendUnavailableError;
      const say = isAway || this.wasRefused ? 'debug' : 'warn';
      this.wasRefused ||= !isAway;
      this.logger[say](`Handlers of failures are not announced yet: ${(error as Error).message}`);
      pause = TRIED_AGAIN_AFTER;
    }
    if (this.isStopped) return;
    this.timer = setTimeout(() => void this.keepAnnounced(), pause).unref();
  }
}

function announcementOf(task: TaskDefinition, { tasks, errors }: FailureRule): FailureHandler {
  const { name, queue, retry, priority, expiresIn, keepResult } = task;
  return { name, queue, tasks, errors, attempts: retry.attempts, priority, expiresIn: expiresIn ?? null, keepResult };
}
