import type { Job } from 'bullmq';
import type { Bucket, LimitRule, Ticket } from '../backend/limits.js';
import type { CanvasPart } from '../canvas/canvas-part.js';
import { isPlainObject } from '../options/jobs-options.error.js';

/**
 * What a BullMQ job of ours carries as its data. The keys are short because they are stored with every job.
 *
 * @internal
 */
export interface JobEnvelope {
  /** The payload; absent for a task without one. */
  p?: unknown;
  /** Headers. */
  h?: Readonly<Record<string, string>>;
  /** Tags. */
  t?: readonly string[];
  /** The id of the outermost job; absent when that is this one. */
  r?: string;
  /** Milliseconds since the epoch: not started after it. */
  x?: number;
  /** The result is not kept. */
  k?: 0;
  /** Which call created it; only with an id of the caller's. */
  n?: string;
  /** Its key is free as soon as its method begins. */
  s?: 1;
  /** Of a job of a handler of failures: the id of the job that failed. */
  f?: string;
  /** Of the same: that one was run again, and did not fail. */
  u?: 1;
  /** The id of the job that it does again. */
  o?: string;
  /** Of such a job: the id of the first that was done again. */
  i?: string;
  /** Of a job that a schedule has sent: for which time. */
  e?: ScheduledFire;
  /** Of an alarm: the schedule to look at. */
  a?: string;
  /** What it is of a canvas. */
  c?: CanvasPart;
  /** The id of the job that does it again; written when it has failed. Nothing else may come first in the stored text. */
  w?: string;
}

/** Which fire of a schedule a job is. Times are milliseconds since the epoch. @internal */
export interface ScheduledFire {
  /** The schedule's name. */
  readonly s: string;
  /** Its nominal time. */
  readonly at: number;
  /** When it was sent. */
  readonly by: number;
  /** The nominal time of the one before. */
  readonly p?: number;
  /** It begins when those before it have ended. */
  readonly q?: 1;
  /** By whom it was sent, unless its time had come. */
  readonly h?: 'trigger' | 'backfill';
}

/**
 * What a BullMQ job of ours carries as its progress: everything that an attempt said of itself, written whole each
 * time.
 *
 * @internal
 */
export interface ProgressRecord {
  /** The attempt that said it; another one starts from nothing. */
  attempt: number;
  stage?: { name: string; meta?: unknown };
  progress?: unknown;
  /** Milliseconds since the epoch: the task asked to run again then, with the same attempt. */
  snoozedUntil?: number;
  /** Milliseconds: how long the task asked to wait then. */
  snoozedFor?: number;
  /** What it steps out of its slot for. */
  waits?: Waits;
  /** Beside `waits`: a worker has begun with the job before. */
  begun?: true;
  /** Beside `waits`: the limits that have let the attempt through. */
  passed?: readonly string[];
}

/** What a parked job waits for. Times are milliseconds since the epoch. @internal */
export interface Waits {
  readonly for: 'unknown-task' | 'lock' | 'idempotency' | 'limit';
  readonly key?: string;
  /** When it began to wait for that. */
  readonly since: number;
  /** When it looks again at the latest, or gives up. */
  readonly until?: number;
  /** The line that it stands in, and its turn there. */
  readonly line?: { readonly name: string; readonly places: number; readonly turn: number };
  readonly reserved?: Reserved;
}

/** A time that a limit has reserved for a job. @internal */
export interface Reserved extends Bucket, Ticket {
  readonly rule: LimitRule;
  readonly cost: number;
  /** How often the job was parked for it. */
  readonly parks: number;
}

/** A BullMQ job of ours. @internal */
export type StoredJob = Job<JobEnvelope, unknown, string>;

/**
 * What was added past this library may have null as its data, or a text: one such job would keep all from being read.
 *
 * @internal
 */
export function withEnvelope(job: Job): StoredJob {
  if (!isPlainObject(job.data)) job.data = {};
  return job as StoredJob;
}

/** BullMQ's largest number is the least urgent and its 0 is kept for jobs that were given back. */
const LEAST_URGENT = 10;
const GIVEN_BACK = 0;

/** Celery's scale, 9 first, to BullMQ's, 1 first. @internal */
export function toEnginePriority(priority: number): number {
  return LEAST_URGENT - priority;
}

/** The running attempt of an active job, from 1: attempts whose process died count. @internal */
export function attemptNumber(job: StoredJob): number {
  return job.attemptsMade + job.stalledCounter + 1;
}

/** What was said of the attempt that an unfinished job runs or waits for; nothing of those before. @internal */
export function saidOfAttempt(job: StoredJob): ProgressRecord | undefined {
  const said = progressOf(job);
  return said?.attempt === attemptNumber(job) ? said : undefined;
}

/** Whether a fetched job has been begun with before. Being looked at by a worker without its task, and being parked, do not count. @internal */
export function hasBegun(job: StoredJob): boolean {
  if (attemptNumber(job) > 1) return true;
  const said = saidOfAttempt(job);
  return said?.waits === undefined ? job.attemptsStarted > 1 : said.begun === true;
}

/** Whether a run of a fetched job was not seen to its end: its process died or froze, or a shutdown gave it back. @internal */
export function wasLeftBehind(job: StoredJob): boolean {
  return job.stalledCounter > 0 || job.priority === GIVEN_BACK;
}

/** How many runs a job may have. BullMQ writes 0 for a job that it was given without a number. @internal */
export function maxAttempts(job: StoredJob): number {
  return Math.max(job.opts.attempts ?? 1, 1);
}

/** What was said of a job, unless something else than us wrote its progress. @internal */
export function progressOf(job: StoredJob): ProgressRecord | undefined {
  const said = job.progress as Partial<ProgressRecord> | number | string | boolean | undefined;
  return typeof said === 'object' && said !== null && typeof said.attempt === 'number'
    ? (said as ProgressRecord)
    : undefined;
}
