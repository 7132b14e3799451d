import { progressOf, type ProgressRecord, type StoredJob } from '../client/envelope.js';
import type { JobStatus } from '../client/job-status.js';
import type { JobEvent } from './job-event.js';
import {
  endEvent,
  factsOf,
  hasRun,
  retryingEvent,
  snoozedEvent,
  stalledEvent,
  startedEvent,
  storedEvent,
} from './told-events.js';

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
  /** The last attempt that failed or was left behind, as far as it was heard of. */
  ended: number;
  /** As text, with the attempt. */
  stage: string;
  progress: string;
}

/** Of a job that was not heard of yet: what failed before anybody listened is no news. @internal */
export function toldBefore({ timestamp }: StoredJob, { attempts }: JobStatus, listensSince: number): ToldOfJob {
  const ended = attempts.findLast(({ endedAt }) => endedAt !== null && Date.parse(endedAt) < listensSince)?.attempt;
  return { madeAt: timestamp, isOver: false, started: 0, ended: ended ?? 0, stage: '', progress: '' };
}

/**
 * Makes of the engine's events of one job, which name no attempt, and of what the job is after all of them or still
 * later, what is told. The attempts that failed stand in the job, with their times.
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
  /** A worker has taken it, and it may still step aside. */
  let isTaken = false;
  const begin = (attempt: number): void => {
    if (isTaken && attempt > told.started) {
      told.started = attempt;
      events.push(startedEvent(job, attempt, status.attempts[attempt - 1]?.startedAt));
    }
    isTaken = false;
  };
  for (const event of engine) {
    switch (event.name) {
      case 'added':
        events.push(storedEvent(job));
        break;
      case 'active':
        isTaken = true;
        break;
      case 'delayed':
      case 'waiting': {
        const after = endOfAttempt(event, job, status, told.ended);
        if (after) begin(after.attempt);
        isTaken = false;
        if (!after) break;
        events.push(after);
        // After a snooze the same attempt begins again.
        if (after.event === 'snoozed') told.started = after.attempt - 1;
        else told.ended = after.attempt;
        break;
      }
      case 'stalled': {
        const left = status.attempts.find(({ stalled, attempt }) => stalled && attempt > told.ended)?.attempt;
        if (left === undefined) break;
        begin(left);
        events.push(stalledEvent(job, left));
        told.ended = left;
        break;
      }
      case 'progress':
        if (isOfRun(event.said)) begin(event.said.attempt);
        events.push(...saidIn(event.said, job, told));
        break;
      case 'completed':
      case 'failed': {
        if (hasRun(job, status)) begin(status.attempt);
        const end = endEvent(job, status);
        if (!end) break;
        Object.assign(told, { isOver: true, stage: '', progress: '' });
        return [...events, end];
      }
    }
  }
  // Not by its number in the job, which may be further by now: of that the engine tells later.
  if (isTaken && mayHaveBegun(job, status)) begin(told.ended + 1);
  return events;
}

/** Undefined for a job that steps aside, waits for its time at first, or was given back. */
function endOfAttempt(
  event: EngineEvent & { readonly name: 'delayed' | 'waiting' },
  job: StoredJob,
  status: JobStatus,
  ended: number,
): JobEvent<'retrying' | 'snoozed'> | undefined {
  const said = progressOf(job);
  if (event.name === 'delayed' && said?.snoozedFor !== undefined && said.snoozedUntil === event.due) {
    return snoozedEvent(job, said.attempt, event.due, said.snoozedFor);
  }
  const isOver = status.state === 'failed' || status.state === 'cancelled';
  const last = isOver && hasRun(job, status) ? status.attempt : Infinity;
  const record = status.attempts.findLast(({ attempt, error, endedAt }) => {
    if (!error || endedAt === null || attempt <= ended || attempt >= last) return false;
    return event.name === 'delayed' ? Date.parse(endedAt) <= event.due : attempt === ended + 1;
  });
  return record && retryingEvent(job, record, event.name === 'delayed' ? event.due : Date.parse(record.endedAt!));
}

/** False for a job that was taken only to step aside, or to end without a run. */
function mayHaveBegun(job: StoredJob, status: JobStatus): boolean {
  const { state, waitingFor, attempts } = status;
  if (waitingFor) return false;
  if (state === 'blocked') return job.data.c?.x !== undefined;
  if (state === 'cancelled' || state === 'failed') return hasRun(job, status);
  return (
    state === 'running' || state === 'succeeded' || attempts.length > 0 || progressOf(job)?.snoozedFor !== undefined
  );
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
