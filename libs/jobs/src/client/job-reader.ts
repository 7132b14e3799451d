import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import type { JobState as EngineState } from 'bullmq';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { withTimeout } from '../backend/with-timeout.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { withEnvelope, type StoredJob } from './envelope.js';
import { queueOfJobId } from './job-id.js';
import type { JobStatus } from './job-status.js';
import { Queues } from './queues.js';
import { readStatus } from './read-status.js';

const FIRST_REREAD = 250;
const SLOWEST_REREAD = 2_000;
const SHORTEST_READ = 500;
/** Jobs before one that are counted. */
const MOST_BEFORE = 5_000;

/** The moment at which a job seems to have ended. */
interface EndedEvent {
  /** Resolves at it, or after `wait` ms. */
  orAfter(wait: number): Promise<void>;
  stop(): void;
}

/** @internal */
export interface FoundJob {
  readonly job: StoredJob;
  readonly state: EngineState;
}

/** @internal */
export interface JobLog {
  readonly lines: readonly string[];
  /** How many the log has in all. */
  readonly total: number;
}

/** Reads what became of jobs. @internal */
@Injectable()
export class JobReader {
  constructor(
    private readonly queues: Queues,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** Undefined for a job that never was, or is not kept any more. */
  async status(id: string): Promise<JobStatus | undefined> {
    const found = await this.findKept(id);
    return found && readStatus(found.job, found.state);
  }

  /** {@link status} of a job of ours, in a queue that this process need not have declared. */
  async statusAnywhere(id: string): Promise<JobStatus | undefined> {
    const found = await this.findUnexpired(queueOfJobId(id)!, id);
    return found && readStatus(found.job, found.state);
  }

  /** A status of a moment ago with the job's place in its queue, if it waits for nothing but its turn. */
  async placed(status: JobStatus): Promise<JobStatus> {
    if (status.state !== 'pending' || status.waitingFor) return status;
    const position = await this.backend.positionOf(this.queues.get(status.queue), status.id, MOST_BEFORE);
    return position === undefined ? status : { ...status, position };
  }

  /** Undefined also when the queue is not a declared one. */
  async findKept(id: string): Promise<FoundJob | undefined> {
    const queueName = queueOfJobId(id);
    if (queueName === undefined || !this.options.queues.has(queueName)) return undefined;
    return this.findUnexpired(queueName, id);
  }

  /** What is kept under an id, in a queue that need not be a declared one of this process. */
  async findUnexpired(queueName: string, id: string): Promise<FoundJob | undefined> {
    const found = await this.find(queueName, id);
    return found && !isExpired(found) ? found : undefined;
  }

  /** Lines that a job has logged, after so many of them. */
  async log(id: string, after: number, most: number): Promise<JobLog> {
    const queueName = queueOfJobId(id);
    if (queueName === undefined || !this.options.queues.has(queueName)) return { lines: [], total: 0 };
    const { logs, count } = await this.queues.get(queueName).getJobLogs(id, after, after + most - 1, true);
    return { lines: logs, total: count };
  }

  /** How many lines jobs have logged, in one round trip for each queue. */
  async countLogLines(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const lines = new Map<string, number>();
    const count = async (queue: string): Promise<void> => {
      const own = ids.filter((id) => queueOfJobId(id) === queue);
      const counts = await this.backend.countLogLines(this.queues.get(queue), own);
      for (const [n, id] of own.entries()) lines.set(id, counts[n]!);
    };
    const queues = new Set(ids.map(queueOfJobId));
    await Promise.all([...this.options.queues.keys()].filter((queue) => queues.has(queue)).map(count));
    return lines;
  }

  /** What the store has under an id, in a queue that need not be a declared one of this process. */
  async find(queueName: string, id: string): Promise<FoundJob | undefined> {
    const queue = this.queues.get(queueName);
    for (;;) {
      const [stored, state] = await Promise.all([queue.getJob(id), queue.getJobState(id)]);
      if (!stored || state === 'unknown') return undefined;
      const job = withEnvelope(stored);
      // Job and state are two reads, in either order; of a job that ended in between both are read again.
      const hasEnded = state === 'completed' || state === 'failed';
      if (hasEnded === (job.finishedOn !== undefined)) return { job, state };
    }
  }

  /**
   * Resolves with the status of an ended job; with undefined when there is none of this id, or `'timeout'` after
   * `timeout` ms. Events only make it quicker: the state is read again and again, ever more slowly, until it is final. A
   * backend that is away meanwhile is waited for.
   *
   * @throws {@link BackendUnavailableError} when it was away to the end.
   */
  async untilEnded(id: string, timeout: number): Promise<JobStatus | 'timeout' | undefined> {
    const deadline = Date.now() + timeout;
    let ended: EndedEvent | undefined;
    try {
      for (let wait = FIRST_REREAD; ; wait = Math.min(wait * 2, SLOWEST_REREAD)) {
        this.queues.assertOpen();
        const seen = await this.tryToRead(id, deadline - Date.now());
        if (!seen) return undefined;
        if ('status' in seen && seen.status.terminal) return seen.status;
        const left = deadline - Date.now();
        if (left <= 0 && 'unreadable' in seen) throw seen.unreadable;
        if (left <= 0) return 'timeout';
        ended ??= this.endedEvent(queueOfJobId(id)!, id);
        await ended.orAfter(Math.min(wait, left));
      }
    } finally {
      ended?.stop();
    }
  }

  private async tryToRead(
    id: string,
    left: number,
  ): Promise<{ status: JobStatus } | { unreadable: Error } | undefined> {
    const { connectTimeout } = this.options;
    // However little time is left, a backend that is there gets the chance to answer.
    const patience = Math.min(Math.max(left, SHORTEST_READ), connectTimeout);
    const unavailable = (cause?: unknown): Error =>
      new BackendUnavailableError(this.backend.location, patience, cause ?? this.backend.lastConnectionError());
    try {
      const status = await withTimeout(this.status(id), patience, unavailable);
      return status && { status };
    } catch (error) {
      if (error instanceof BackendUnavailableError) return { unreadable: error };
      if (this.backend.isConnectionError(error)) return { unreadable: unavailable(error) };
      throw error;
    }
  }

  private endedEvent(queueName: string, id: string): EndedEvent {
    const events = this.queues.eventsOf(queueName);
    // BullMQ emits `completed:<id>` beside `completed`, which its types do not tell.
    const names = ['completed', 'failed'].map((name) => `${name}:${id}` as 'completed');
    let seen = false;
    let wake: (() => void) | undefined;
    const onEnded = (): void => {
      seen = true;
      wake?.();
    };
    for (const name of names) events.on(name, onEnded);
    return {
      async orAfter(wait) {
        const timer = new AbortController();
        wake = () => timer.abort();
        if (!seen) await sleep(wait, undefined, { signal: timer.signal }).catch(() => {});
        seen = false;
      },
      stop() {
        for (const name of names) events.off(name, onEnded);
      },
    };
  }
}

/** BullMQ removes old jobs when the next one ends; that must not make an old one readable for longer. */
function isExpired({ job, state }: FoundJob): boolean {
  if (state !== 'completed' && state !== 'failed') return false;
  const keep = state === 'completed' ? job.opts.removeOnComplete : job.opts.removeOnFail;
  const age = typeof keep === 'object' && 'age' in keep ? keep.age : undefined;
  return age !== undefined && job.finishedOn! + age * 1_000 < Date.now();
}
