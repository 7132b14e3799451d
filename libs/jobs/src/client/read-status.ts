import type { JobState as EngineState } from 'bullmq';
import { NEVER_RAN, readAttempts } from '../retry/attempt-record.js';
import { readCancelMark, readCancelRequest, type Cancellation } from './cancel-mark.js';
import { readChildFailure } from './child-failure.js';
import { maxAttempts, progressOf, saidOfAttempt, type ProgressRecord, type StoredJob, type Waits } from './envelope.js';
import type { JobAttempt, JobErrorInfo, JobState, JobStatus } from './job-status.js';
import { unpackResult } from './stored-result.js';

/** What BullMQ knows of a job, as a {@link JobStatus}. @internal */
export function readStatus(job: StoredJob, engineState: EngineState): JobStatus {
  const records = readAttempts(job.stacktrace);
  const failures = records.filter(({ attempt }) => attempt !== NEVER_RAN);
  const cancelled = readCancellation(job, engineState);
  const ahead = engineState === 'completed' || engineState === 'failed' ? undefined : saidOfAttempt(job);
  const state = cancelled ? 'cancelled' : stateOf(job, engineState, failures, ahead);
  const attempts = attemptsOf(job, state, failures);
  const attempt = attempts.length;
  const said = ahead ?? saidOf(attempt, job);
  const along = state === 'failed' ? readChildFailure(job.failedReason) : undefined;
  const { result, elsewhere, reason, deduplicatedBy } = state === 'succeeded' ? unpackResult(job.returnvalue) : {};
  return {
    id: job.id!,
    task: job.name,
    queue: job.queueName,
    state,
    ...cancelled,
    ...(reason !== undefined && { reason }),
    ...(said?.stage && { stage: said.stage }),
    ...(said?.progress !== undefined && { progress: said.progress }),
    ...askedToStop(job, engineState),
    attempt,
    maxAttempts: maxAttempts(job),
    attempts,
    createdAt: iso(job.timestamp),
    ...when('scheduledFor', dueTime(job, state, failures, said) ?? job.data.e?.at),
    ...startOf(attempts.at(-1)),
    ...when('finishedAt', job.finishedOn),
    ...(elsewhere ? { resultRef: elsewhere.reference } : state === 'succeeded' && { result }),
    ...(deduplicatedBy !== undefined && { deduplicatedBy }),
    ...(state === 'failed' && { error: along?.error ?? failureOf(job, records) }),
    ...(along && { failedJob: along.jobId }),
    ...(state === 'pending' && ahead?.waits && { waitingFor: waitingFor(ahead.waits) }),
    ...(job.data.r !== undefined && { rootId: job.data.r }),
    ...(job.parent?.id !== undefined && { parentId: job.parent.id }),
    ...(job.data.f !== undefined && { failureOf: job.data.f }),
    ...(job.data.o !== undefined && { redriveOf: job.data.o }),
    ...(job.data.w !== undefined && { redrivenAs: job.data.w }),
    tags: [...(job.data.t ?? [])],
    terminal: isTerminal(state),
  };
}

function waitingFor({ for: kind, key, until }: Waits): NonNullable<JobStatus['waitingFor']> {
  return { kind, ...(key !== undefined && { key }), ...(until !== undefined && { until: iso(until) }) };
}

function isTerminal(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

function stateOf(
  job: StoredJob,
  engineState: EngineState,
  failures: readonly JobAttempt[],
  ahead: ProgressRecord | undefined,
): JobState {
  switch (engineState) {
    case 'completed':
      return 'succeeded';
    case 'failed':
      return 'failed';
    case 'active':
      return 'running';
    case 'delayed':
      // Due, and parked.
      if (ahead?.waits) return 'pending';
      if (ahead?.snoozedUntil !== undefined) return 'scheduled';
      return failures.length + job.stalledCounter > 0 ? 'retrying' : 'scheduled';
    case 'waiting-children':
      return 'blocked';
    default:
      return 'pending';
  }
}

/**
 * Marked jobs count as cancelled at once, not when a worker gets to them. That mark is set on no active job; one that
 * is active with it has been fetched since and ends without running. Of the two places of the mark only the failed reason
 * is never overwritten, and it means nothing in a job that was run again past this library.
 */
function readCancellation(job: StoredJob, engineState: EngineState): Cancellation | undefined {
  if (engineState === 'completed') return undefined;
  if (engineState !== 'failed') {
    return job.deferredFailure === undefined ? undefined : readCancelMark(job.failedReason);
  }
  return readCancelMark(job.failedReason) ?? readCancelRequest(job.failedReason);
}

/** Of a job that ran when it was to be cancelled: until it has ended, nobody knows how it will. */
function askedToStop(job: StoredJob, engineState: EngineState): Partial<JobStatus> {
  if (engineState === 'completed' || engineState === 'failed') return {};
  const request = readCancelRequest(job.deferredFailure);
  return request ? { cancelRequested: true, ...request } : {};
}

/**
 * BullMQ keeps what we tell it of a failed attempt, and counts those that were left behind. These are the numbers that
 * no record has.
 */
function attemptsOf(job: StoredJob, state: JobState, failures: readonly JobAttempt[]): JobAttempt[] {
  const ended = Math.min(failures.length + job.stalledCounter, maxAttempts(job));
  const attempts: JobAttempt[] = [];
  let records = 0;
  for (let attempt = 1; attempt <= ended; attempt++) {
    const record = failures[records]?.attempt === attempt ? failures[records++] : undefined;
    attempts.push(record ?? { attempt, startedAt: null, endedAt: null, stalled: true });
  }
  const isLast = state === 'running' || state === 'succeeded';
  const { processedOn } = job;
  if (processedOn === undefined) return attempts;
  if (isLast && ended < maxAttempts(job)) {
    const endedAt = state === 'succeeded' && job.finishedOn !== undefined ? iso(job.finishedOn) : null;
    attempts.push({ attempt: ended + 1, startedAt: iso(processedOn), endedAt });
  } else if (state === 'pending' && attempts.at(-1)?.stalled) {
    // No other one has begun since.
    attempts.at(-1)!.startedAt = iso(processedOn);
  }
  return attempts;
}

function startOf(attempt: JobAttempt | undefined): { startedAt?: string } {
  return typeof attempt?.startedAt === 'string' ? { startedAt: attempt.startedAt } : {};
}

function dueTime(
  job: StoredJob,
  state: JobState,
  failures: readonly JobAttempt[],
  said: ProgressRecord | undefined,
): number | undefined {
  if (state === 'retrying') {
    const last = failures.at(-1)?.endedAt;
    return last ? Date.parse(last) + job.delay : undefined;
  }
  if (said?.snoozedUntil !== undefined) return said.snoozedUntil;
  const delay = job.opts.delay ?? 0;
  return delay > 0 ? job.timestamp + delay : undefined;
}

function saidOf(attempt: number, job: StoredJob): ProgressRecord | undefined {
  const said = progressOf(job);
  return said?.attempt === attempt ? said : undefined;
}

function failureOf(job: StoredJob, failures: readonly JobAttempt[]): JobErrorInfo {
  return failures.at(-1)?.error ?? { name: 'Error', message: job.failedReason };
}

function when(key: 'scheduledFor' | 'finishedAt', time: number | undefined): Partial<JobStatus> {
  return time === undefined ? {} : { [key]: iso(time) };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
