import type { StoredJob } from '../client/envelope.js';
import type { JobAttempt, JobStatus } from '../client/job-status.js';
import type { JobEvent } from './job-event.js';

/** A job as it is sent to the store. @internal */
export interface SentJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly data: { readonly t?: readonly string[] };
  readonly opts: { readonly timestamp?: number; readonly delay?: number };
}

/** What every event tells of its job. */
interface Facts {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly tags: readonly string[];
}

/** @internal */
export function factsOf(job: StoredJob): Facts {
  return { id: job.id!, task: job.name, queue: job.queueName, tags: [...(job.data.t ?? [])] };
}

/** @param at - milliseconds since the epoch, of a job that does not say when it was made. @internal */
export function enqueuedEvent({ id, queue, name, data, opts }: SentJob, at: number): JobEvent<'enqueued'> {
  const { timestamp = at, delay = 0 } = opts;
  return {
    event: 'enqueued',
    id,
    task: name,
    queue,
    tags: [...(data.t ?? [])],
    at: iso(timestamp),
    ...(delay > 0 && { scheduledFor: iso(timestamp + delay) }),
  };
}

/** Of one that is stored. @internal */
export function storedEvent({ id, queueName, name, data, timestamp, opts }: StoredJob): JobEvent<'enqueued'> {
  const { delay = 0 } = opts;
  return enqueuedEvent({ id: id!, queue: queueName, name, data, opts: { delay } }, timestamp);
}

/** @param at - ISO-8601; that of the last run where nothing else is known. @internal */
export function startedEvent(job: StoredJob, attempt: number, at: string | null = null): JobEvent<'started'> {
  return { event: 'started', ...factsOf(job), attempt, at: at ?? iso(job.processedOn ?? Date.now()) };
}

/** Of a failed attempt that has a record in the status. @internal */
export function retryingEvent(job: StoredJob, record: JobAttempt, due: number): JobEvent<'retrying'> {
  const { attempt, endedAt, error } = record;
  return {
    event: 'retrying',
    ...factsOf(job),
    attempt,
    at: endedAt ?? iso(Date.now()),
    error: error!,
    retryAt: iso(due),
    ...durationOf(record),
  };
}

/** Of a job that has ended; undefined of one that has not. @internal */
export function endEvent(job: StoredJob, status: JobStatus): JobEvent | undefined {
  const { state, attempt, reason, error, failedJob, deduplicatedBy, finishedAt } = status;
  const last = hasRun(job, status) ? status.attempts.at(-1) : undefined;
  const all = { ...factsOf(job), attempt, at: finishedAt ?? iso(Date.now()), ...(last && durationOf(last)) };
  switch (state) {
    case 'succeeded':
      if (reason !== undefined) return { event: 'skipped', ...all, reason };
      return { event: 'succeeded', ...all, ...(deduplicatedBy !== undefined && { deduplicatedBy }) };
    case 'failed':
      return { event: 'failed', ...all, error: error!, ...(failedJob !== undefined && { failedJob }) };
    case 'cancelled': {
      const why = { ...(reason !== undefined && { reason }), ...(last?.error && { error: last.error }) };
      return { event: 'cancelled', ...all, ...why };
    }
    default:
      return undefined;
  }
}

/** @internal */
export function snoozedEvent(job: StoredJob, attempt: number, until: number, delay: number): JobEvent<'snoozed'> {
  return { event: 'snoozed', ...factsOf(job), attempt, at: iso(until - delay), until: iso(until) };
}

/** @internal */
export function stalledEvent(job: StoredJob, attempt: number): JobEvent<'stalled'> {
  return { event: 'stalled', ...factsOf(job), attempt, at: iso(Date.now()) };
}

/** Whether what has ended a job was a run of its task: a job may be fetched only to find that it is to end. @internal */
export function hasRun(job: StoredJob, { attempts }: JobStatus): boolean {
  const begun = attempts.at(-1)?.startedAt;
  return typeof begun === 'string' && job.processedOn !== undefined && begun === iso(job.processedOn);
}

function durationOf({ startedAt, endedAt }: JobAttempt): { readonly duration?: number } {
  return startedAt && endedAt ? { duration: Date.parse(endedAt) - Date.parse(startedAt) } : {};
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
