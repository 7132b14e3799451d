import { attemptNumber, progressOf, type ProgressRecord, type StoredJob } from '../client/envelope.js';
import type { JobAttempt, JobStatus } from '../client/job-status.js';
import type { JobEvent } from './job-event.js';
import { endEvent, factsOf, hasRun, retryingEvent, stalledEvent, startedEvent, storedEvent } from './told-events.js';

/** What the engine tells of a job, as little as that is. @internal */
export type EngineEvent =
  | { readonly name: 'added' | 'active' | 'completed' | 'failed' | 'stalled' }
  /** It is looked at again, after an attempt or otherwise. */
  | { readonly name: 'waiting' }
  /** `due` in milliseconds since the epoch. */
  | { readonly name: 'delayed'; readonly due: number }
  | { readonly name: 'progress'; readonly said: ProgressRecord };

/** What was told of a job before, so that nothing is told twice. @internal */
export interface ToldOfJob {
  /** When (ms since the epoch) the job was made: another one may have its id later. */
  readonly madeAt: number;
  /** Its end was told, and nothing comes after that. */
  isOver: boolean;
  /** The last attempt whose beginning was told. */
  started: number;
  /** The last attempt whose failure was told. */
  retried: number;
  /** As text, with the attempt. */
  stage: string;
  progress: string;
}

/** Of a job that was not heard of yet: what failed before anybody listened is no news. @internal */
export function toldBefore({ timestamp }: StoredJob, status: JobStatus, listensSince: number): ToldOfJob {
  const old = status.attempts.filter(({ endedAt }) => endedAt !== null && Date.parse(endedAt) < listensSince);
  const retried = old.at(-1)?.attempt ?? 0;
  return { madeAt: timestamp, isOver: false, started: 0, retried, stage: '', progress: '' };
}

/**
 * Makes of the engine's events of one job, which name no attempt, and of what the job is after all of them, what is told.
 * The attempts that failed stand in the job, with their times.
 *
 * @param told - is brought up to date.
 * @internal
 */
export function eventsOf(
  engine: readonly EngineEvent[],
  job: StoredJob,
  status: JobStatus,
  told: ToldOfJob,
): JobEvent[] {
  if (told.isOver) return [];
  const events: JobEvent[] = [];
  /** An attempt that began, of which is not known yet which one it was. */
  let begun = false;
  const begin = (attempt: number | undefined): void => {
    if (begun && attempt && attempt > told.started) {
      told.started = attempt;
      events.push(startedEvent(job, attempt, startOf(status, attempt)));
    }
    begun = false;
  };
  for (const event of engine) {
    switch (event.name) {
      case 'added':
        events.push(storedEvent(job));
        break;
      case 'active':
        begun = true;
        break;
      case 'delayed':
      case 'waiting': {
        const after = endOfAttempt(event, job, status, told);
        begin(after?.attempt);
        if (after) events.push(after);
        // It begins again, with the same attempt.
        if (after?.event === 'snoozed') told.started = after.attempt - 1;
        break;
      }
      case 'completed':
      case 'failed': {
        begin(hasRun(job, status) ? status.attempt : undefined);
        const end = endEvent(job, status);
        if (!end) break;
        Object.assign(told, { isOver: true, stage: '', progress: '' });
        return [...events, end];
      }
      case 'stalled': {
        const left = stalledEvent(job, status);
        begin(left?.attempt);
        if (left) events.push(left);
        break;
      }
      case 'progress':
        if (isOfRun(event.said)) begin(event.said.attempt);
        events.push(...saidIn(event.said, job, told));
        break;
    }
  }
  begin(runningNow(job, status));
  return events;
}

/** Undefined for a job that steps aside, waits for its time at first, or was given back. */
function endOfAttempt(
  event: EngineEvent & { readonly name: 'delayed' | 'waiting' },
  job: StoredJob,
  status: JobStatus,
  told: ToldOfJob,
): JobEvent<'retrying' | 'snoozed'> | undefined {
  const said = progressOf(job);
  if (event.name === 'delayed' && said?.snoozedFor !== undefined && said.snoozedUntil === event.due) {
    const until = new Date(event.due).toISOString();
    const at = new Date(event.due - said.snoozedFor).toISOString();
    return { event: 'snoozed', ...factsOf(job), attempt: said.attempt, at, until };
  }
  const isOver = status.state === 'failed' || status.state === 'cancelled';
  const last = isOver && hasRun(job, status) ? status.attempt : Infinity;
  const record = status.attempts.findLast((attempt) => {
    if (!attempt.error || attempt.endedAt === null || attempt.attempt >= last) return false;
    return event.name === 'waiting' || Date.parse(attempt.endedAt) <= event.due;
  });
  if (!record || record.attempt <= told.retried) return undefined;
  told.retried = record.attempt;
  return retryingEvent(job, record, event.name === 'delayed' ? event.due : Date.parse(record.endedAt!));
}

/** The attempt that a worker had begun with when the job was read. */
function runningNow(job: StoredJob, status: JobStatus): number | undefined {
  if (status.waitingFor) return undefined;
  switch (status.state) {
    case 'running':
      return attemptNumber(job);
    case 'blocked':
      return job.data.c?.x && attemptNumber(job);
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return hasRun(job, status) ? status.attempt : undefined;
    default:
      return lastRun(job, status);
  }
}

/** Of a job that waits again: the engine tells of that later. */
function lastRun(job: StoredJob, { attempt }: JobStatus): number {
  const said = progressOf(job);
  return said?.snoozedFor === undefined ? attempt : Math.max(attempt, said.attempt);
}

/** What is written when a job steps aside says nothing of a run. */
function isOfRun({ waits, snoozedUntil }: ProgressRecord): boolean {
  return waits === undefined && snoozedUntil === undefined;
}

function saidIn({ attempt, stage, progress }: ProgressRecord, job: StoredJob, told: ToldOfJob): JobEvent[] {
  const events: JobEvent[] = [];
  const about = { ...factsOf(job), attempt, at: new Date().toISOString() };
  const [stageText, progressText] = [stage, progress].map((said) => `${attempt} ${JSON.stringify(said)}`);
  if (stage && told.stage !== stageText) events.push({ event: 'stage', ...about, stage });
  if (progress !== undefined && told.progress !== progressText) events.push({ event: 'progress', ...about, progress });
  [told.stage, told.progress] = [stageText!, progressText!];
  return events;
}

function startOf({ attempts }: JobStatus, attempt: number): JobAttempt['startedAt'] {
  return attempts[attempt - 1]?.startedAt ?? null;
}
