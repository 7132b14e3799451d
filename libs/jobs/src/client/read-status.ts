import type { JobState as EngineState } from 'bullmq';
import { NEVER_RAN, readAttempts } from '../retry/attempt-record.js';
import { readCancelMark } from './cancel-mark.js';
import { attemptNumber, progressOf, type StoredJob } from './envelope.js';
import type { JobAttempt, JobErrorInfo, JobState, JobStatus } from './job-status.js';

/** What BullMQ knows of a job, as a {@link JobStatus}. @internal */
export function readStatus(job: StoredJob, engineState: EngineState): JobStatus {
  const records = readAttempts(job.stacktrace);
  const failures = records.filter(({ attempt }) => attempt !== NEVER_RAN);
  const cancelled = readCancellation(job, engineState);
  const state = cancelled ? 'cancelled' : stateOf(job, engineState, failures);
  const attempts = attemptsOf(job, state, failures);
  const maxAttempts = job.opts.attempts ?? 1;
  const attempt =
    state === 'running' ? attemptNumber(job) : Math.min(attempts.length + job.stalledCounter, maxAttempts);
  const said = progressOf(job);
  return {
    id: job.id!,
    task: job.name,
    queue: job.queueName,
    state,
    ...cancelled,
    ...(said?.attempt === attempt && said.stage && { stage: said.stage }),
    ...(said?.attempt === attempt && said.progress !== undefined && { progress: said.progress }),
    attempt,
    maxAttempts,
    attempts,
    createdAt: iso(job.timestamp),
    ...when('scheduledFor', dueTime(job, state, failures)),
    ...(attempts.length > 0 && { startedAt: attempts.at(-1)!.startedAt }),
    ...when('finishedAt', job.finishedOn),
    ...(state === 'succeeded' && { result: job.returnvalue ?? null }),
    ...(state === 'failed' && { error: failureOf(job, records) }),
    ...(isParked(job, engineState) && { waitingFor: { kind: 'unknown-task' as const } }),
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
      if (isParked(job, engineState)) return 'pending';
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

/** Due, and given back because no worker that saw it has its task. */
function isParked(job: StoredJob, engineState: EngineState): boolean {
  return engineState === 'delayed' && progressOf(job)?.unknownSince !== undefined;
}

function when(key: 'scheduledFor' | 'finishedAt', time: number | undefined): Partial<JobStatus> {
  return time === undefined ? {} : { [key]: iso(time) };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
