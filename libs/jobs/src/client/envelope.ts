import type { Job } from 'bullmq';

/**
 * What a BullMQ job of ours carries as its data. The keys are short because they are stored with every job.
 *
 * @internal
 */
export interface JobEnvelope {
  /** The payload; absent for a task without one. */
  p?: unknown;
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
  /** Milliseconds since the epoch: when a worker first found that it has no such task. */
  unknownSince?: number;
}

/** A BullMQ job of ours. @internal */
export type StoredJob = Job<JobEnvelope, unknown, string>;

/** BullMQ's largest number is the least urgent and its 0 is kept for jobs that were given back. */
const LEAST_URGENT = 10;

/** Celery's scale, 9 first, to BullMQ's, 1 first. @internal */
export function toEnginePriority(priority: number): number {
  return LEAST_URGENT - priority;
}

/** The running attempt of an active job, from 1: attempts whose process died count. @internal */
export function attemptNumber(job: StoredJob): number {
  return job.attemptsMade + job.stalledCounter + 1;
}

/** What was said of a job, unless something else than us wrote its progress. @internal */
export function progressOf(job: StoredJob): ProgressRecord | undefined {
  const said = job.progress as Partial<ProgressRecord> | number | string | boolean | undefined;
  return typeof said === 'object' && said !== null && typeof said.attempt === 'number'
    ? (said as ProgressRecord)
    : undefined;
}
