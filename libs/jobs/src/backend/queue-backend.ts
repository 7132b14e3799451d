import type { FlowProducer, Processor, Queue, QueueEvents } from 'bullmq';
import type { FailedJobs } from './failed-jobs.js';
import type { FleetMessages } from './fleet-messages.js';
import type { JobSets } from './job-sets.js';
import type { JobsWorker } from './jobs-worker.js';
import type { KeptResults } from './kept-results.js';
import type { Ledger } from './ledger.js';
import type { Limits } from './limits.js';
import type { Lines } from './lines.js';
import type { ScheduleStore } from './schedule-store.js';
import type { StoredFigures } from './stored-figures.js';
import type { SqlTransaction } from './sql-transaction.js';
import type { ResultStore } from '../results/result-store.js';
import type { TagIndex } from './tag-index.js';

/** What a job was found to be when it was to be marked as cancelled. @internal */
export type CancelMark = 'marked' | 'active' | 'finished' | 'missing';

/** What is written into a job that is cancelled: one that waits, or one that is active. @internal */
export interface CancelMarks {
  readonly waiting: string;
  readonly active: string;
  /** How every mark begins, also an earlier one. */
  readonly beginning: string;
}

/** What a job is given that has not begun. Times are milliseconds since the epoch. @internal */
export interface Replacement {
  /** JSON. */
  readonly data: string;
  /** BullMQ's. */
  readonly priority: number;
  readonly attempts: number;
  readonly now: number;
  /** When it may run. */
  readonly due: number;
  /** Milliseconds after it was made first: when it may run at the latest. */
  readonly maxWait: number | undefined;
  /** A job that has begun gives up its key. */
  readonly freesKey: boolean;
}

/** @internal */
export interface Replaced {
  readonly id: string;
  /** Milliseconds from now until it may run. */
  readonly delay: number;
}

/** @internal */
export interface WorkerSettings {
  readonly concurrency: number;
  /** Milliseconds that a worker's claim on a job lasts without renewal. */
  readonly lease: number;
}

/**
 * What a store must promise: to make BullMQ's classes on itself, and the few operations that BullMQ lacks. Whoever asks
 * for a BullMQ object closes it; {@link QueueBackend.close} comes last.
 *
 * @internal
 */
export interface QueueBackend {
  readonly kind: 'embedded' | 'redis' | 'postgres';
  /** For log lines: where the jobs are, without secrets. */
  readonly location: string;
  readonly ledger: Ledger;
  readonly lines: Lines;
  readonly keptResults: KeptResults;
  readonly limits: Limits;
  readonly schedules: ScheduleStore;
  readonly tags: TagIndex;
  readonly failed: FailedJobs;
  readonly figures: StoredFigures;
  /** Keeps large results beside the jobs. Redis has none: it would keep them in memory. */
  readonly resultTable: ResultStore | undefined;
  readonly sets: JobSets;
  readonly messages: FleetMessages;
  /** @param isKnown - if not, asking for it leaves no trace where there is no such queue; true by default. */
  createQueue(name: string, isKnown?: boolean): Queue;
  /**
   * A queue that only adds jobs, with statements of the caller's transaction. It holds nothing that must be closed.
   *
   * @throws {TransactionNotSupportedError} when the jobs are not kept in a database that callers have connections to.
   */
  createQueueIn(transaction: SqlTransaction, name: string): Queue;
  createFlowProducer(): FlowProducer;
  /** A worker that does not run yet. `processor` takes two parameters: a third makes BullMQ slower. */
  createWorker(name: string, processor: Processor, settings: WorkerSettings): JobsWorker;
  createQueueEvents(name: string): QueueEvents;
  /**
   * Sets BullMQ's own deferred failure on jobs that have not finished, of each in one atomic step and unless it has a mark:
   * the next worker that fetches the job fails it with the mark as the reason, without running it. An active one runs on,
   * and may finish as if nothing had been set.
   *
   * One that waits has the mark as its failed reason as well, since BullMQ overwrites the deferred failure of a parent
   * when a child fails that takes it along.
   *
   * @param jobIds - a few hundred at most: the store serves nobody else meanwhile.
   */
  markCancelled(queue: Queue, jobIds: readonly string[], marks: CancelMarks): Promise<CancelMark[]>;
  /**
   * What stands under `field` in the data of each job; undefined for one that has ended, is not there or has no such
   * field. In one round trip, and of the rest of a job as little is read as the store allows.
   */
  readUnfinished(queue: Queue, jobIds: readonly string[], field: string): Promise<unknown[]>;
  /** The deferred failures of jobs, in one round trip. */
  deferredFailures(queue: Queue, jobIds: readonly string[]): Promise<(string | undefined)[]>;
  /** The ids of active jobs, those that have run longest first, in one round trip. */
  longestActive(queue: Queue, most: number): Promise<string[]>;
  /** The tokens with which workers have claims on jobs, in one round trip. */
  claimTokens(queue: Queue, jobIds: readonly string[]): Promise<(string | undefined)[]>;
  /** How many lines the log of each job has, in one round trip. */
  countLogLines(queue: Queue, jobIds: readonly string[]): Promise<number[]>;
  /**
   * How many jobs of the queue a worker would take before this one that waits, in one round trip.
   *
   * @param most - jobs that are looked at.
   * @returns undefined when it does not wait, or when they are more than that.
   */
  positionOf(queue: Queue, jobId: string, most: number): Promise<number | undefined>;
  /**
   * Puts other data and options into the job that has a deduplication key, if it has not begun, in one atomic step. One
   * that was parked keeps its place in its line, any other gets the place that its new time and priority give it. Its id,
   * its timestamp and its key stay.
   *
   * @returns undefined when it has begun, was cancelled or is not there, and when nobody has the key.
   */
  replaceUnbegun(
    queue: Queue,
    key: string,
    by: Replacement,
    transaction?: SqlTransaction,
  ): Promise<Replaced | undefined>;
  /**
   * Lets another worker have an active job at once, before every other of its queue, in one atomic step. No attempt and
   * no stall is counted, and whatever the attempt that held it still reports of its end is refused.
   *
   * @param token - what BullMQ handed to the processor with the job.
   * @returns false when the job is not this worker's any more; then nothing was changed.
   */
  giveBack(queue: Queue, jobId: string, token: string): Promise<boolean>;
  /**
   * Brings parked jobs to workers now, before all others of their queue and in this order. One that does not wait for its
   * time any more is left as it is.
   */
  wake(queue: Queue, jobIds: readonly string[]): Promise<void>;
  /** Has an idle worker of the queue look for a job, which makes the next one look if there is one. */
  wakeWorker(queue: Queue): Promise<void>;
  /**
   * Removes a job that ended at `endedBy` (milliseconds since the epoch) or before, and what a refused job left behind, in
   * one atomic step. False when there is no such thing, also because another job has the id by now.
   */
  forget(queue: Queue, jobId: string, endedBy: number): Promise<boolean>;
  /**
   * Resolves when the store can be sent something; at once while it is connected. Rejects with
   * {@link BackendUnavailableError} when it cannot within `timeout` ms.
   */
  whenReady(timeout: number): Promise<void>;
  /** Why there is no connection right now, if that is known. */
  lastConnectionError(): Error | undefined;
  /** Resolves when the store answered; rejects with {@link BackendUnavailableError} when it does not in `timeout` ms. */
  ping(timeout: number): Promise<void>;
  /**
   * Closes connections that do not answer although nobody noticed, so that they are made anew and what was asked on them
   * is asked again or fails. Those that are being made already are left alone.
   *
   * @param timeout - how long (ms) a connection has to answer.
   * @returns how many were closed.
   */
  reconnect(timeout: number): Promise<number>;
  /** Whether this error says that the store could not be reached (and not that it refused). */
  isConnectionError(error: unknown): boolean;
  /** Waits for what is under way at most `timeout` ms, then lets go of every connection. */
  close(timeout: number): Promise<void>;
}
