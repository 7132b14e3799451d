import type { JobState as EngineState } from 'bullmq';
import { readAttempts } from '../retry/attempt-record.js';
import { readCancelMark } from './cancel-mark.js';
import { attemptNumber, type ProgressRecord, type StoredJob } from './envelope.js';
import type { JobAttempt, JobErrorInfo, JobState, JobStatus } from './job-status.js';

/** What BullMQ knows of a job, as a {@link JobStatus}. @internal */
export function readStatus(job: StoredJob, engineState: EngineState): JobStatus {
  const failures = readAttempts(job.stacktrace);
  const cancelled = readCancellation(job, engineState);
  const state = cancelled ? 'cancelled' : stateOf(job, engineState, failures);
  const attempts = attemptsOf(job, state, failures);
  const attempt = state === 'running' ? attemptNumber(job) : attempts.length + job.stalledCounter;
  const said = readProgress(job, attempt);
  return {
    id: job.id!,
    task: job.name,
    queue: job.queueName,
    state,
    ...cancelled,
    ...(said?.stage && { stage: said.stage }),
    ...(said?.progress !== undefined && { progress: said.progress }),
    attempt,
    maxAttempts: job.opts.attempts ?? 1,
    attempts,
    createdAt: iso(job.timestamp),
    ...when('scheduledFor', dueTime(job, state, failures)),
    ...when('startedAt', job.processedOn),
    ...when('finishedAt', job.finishedOn),
    ...(state === 'succeeded' && { result: job.returnvalue ?? null }),
    ...(state === 'failed' && { error: failureOf(job, failures) }),
    terminal: isTerminal(state),
  };
}

function isTerminal(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

function stateOf(job: StoredJob, engineState: EngineState, failures: readonly JobAttempt[]): JobState {
  switch (engineState) {
    case 'completed':
      return 'succeeded';
    case 'failed':
      return 'failed';
    case 'active':
      return 'running';
    case 'delayed':
      return failures.length + job.stalledCounter > 0 ? 'retrying' : 'scheduled';
    case 'waiting-children':
      return 'blocked';
    default:
      return 'pending';
  }
}

/**
 * Marked jobs count as cancelled at once, not when a worker gets to them. The mark is set on no active job; one that
 * is active with a mark has been fetched since and ends without running.
 */
function readCancellation(job: StoredJob, engineState: EngineState): { reason?: string } | undefined {
  if (engineState === 'completed') return undefined;
  return (
    readCancelMark(job.deferredFailure) ?? (engineState === 'failed' ? readCancelMark(job.failedReason) : undefined)
  );
}

function attemptsOf(job: StoredJob, state: JobState, failures: readonly JobAttempt[]): JobAttempt[] {
  if ((state !== 'running' && state !== 'succeeded') || job.processedOn === undefined) return [...failures];
  const endedAt = state === 'succeeded' && job.finishedOn !== undefined ? iso(job.finishedOn) : null;
  const attempt = failures.length + job.stalledCounter + 1;
  return [...failures, { attempt, startedAt: iso(job.processedOn), endedAt }];
}

function dueTime(job: StoredJob, state: JobState, failures: readonly JobAttempt[]): number | undefined {
  if (state === 'retrying') {
    const last = failures.at(-1)?.endedAt;
    return last ? Date.parse(last) + job.delay : undefined;
  }
  const delay = job.opts.delay ?? 0;
  return delay > 0 ? job.timestamp + delay : undefined;
}

function failureOf(job: StoredJob, failures: readonly JobAttempt[]): JobErrorInfo {
  return failures.at(-1)?.error ?? { name: 'Error', message: job.failedReason };
}

function readProgress(job: StoredJob, attempt: number): ProgressRecord | undefined {
  const said = job.progress as Partial<ProgressRecord> | number | string | boolean | undefined;
  if (typeof said !== 'object' || said === null || said.attempt !== attempt) return undefined;
  return said as ProgressRecord;
}

function when(key: 'scheduledFor' | 'startedAt' | 'finishedAt', time: number | undefined): Partial<JobStatus> {
  return time === undefined ? {} : { [key]: iso(time) };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
