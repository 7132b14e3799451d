import type { JobState } from '../client/job-status.js';
import type { Timing } from './fire-times.js';
import type { MissedPolicy } from './due-fires.js';
import { nextFire } from './next-fire.js';
import { isOnce } from './once.js';
import type { FiredRun, OverlapPolicy, ScheduleRecord, ScheduleState } from './schedule-record.js';

/** A job that a schedule has sent. @publicApi */
export interface ScheduleRun {
  /** Of the job: `jobs.job(id)` tells how it ended. */
  readonly id: string;
  /** The time that it is for. */
  readonly scheduledFor: string;
  readonly sentAt: string;
  /** `schedule`: its time had come; `trigger` and `backfill`: somebody wanted it. */
  readonly by: 'schedule' | 'trigger' | 'backfill';
  /** Where the job stands, told by `schedules.get()`; absent there when it is not kept any more. */
  readonly state?: JobState;
}

/** A schedule, and what has become of it. Times are ISO-8601 in UTC, durations milliseconds. @publicApi */
export interface ScheduleInfo {
  readonly name: string;
  readonly task: string;
  readonly queue: string;
  readonly cron?: string;
  readonly timeZone?: string;
  /** Minutes from UTC. */
  readonly utcOffset?: number;
  readonly every?: number;
  readonly payload?: unknown;
  readonly overlap: OverlapPolicy;
  readonly missed: MissedPolicy;
  readonly missedWithin: number;
  readonly jitter?: number;
  readonly startAt?: string;
  readonly endAt?: string;
  readonly maxRuns?: number;
  readonly owner?: string;
  readonly description?: string;
  readonly tags: readonly string[];
  /** Whether a decorator declares it; then it cannot be updated or deleted. */
  readonly inCode: boolean;
  /** `ended`: it has no time left, or no run. `undeclared`: no live process has it in its code any more. */
  readonly state: 'active' | 'paused' | 'ended' | 'undeclared';
  readonly pausedAt?: string;
  readonly pauseReason?: string;
  readonly createdAt: string;
  /** When it fires next. */
  readonly next?: string;
  /** Jobs that were sent for their times. */
  readonly sent: number;
  /** Times for which none was, since nobody could send them. */
  readonly missedCount: number;
  /** Times for which none was, since the job before had not ended. */
  readonly skippedCount: number;
  /** How often it had to be set again. */
  readonly rearmedCount: number;
  /** How late the last job was sent. */
  readonly lag?: number;
  /** The last 20 jobs, the newest first. */
  readonly runs: readonly ScheduleRun[];
}

/** @internal */
export function infoOf(name: string, record: ScheduleRecord): ScheduleInfo {
  const { spec, state, by, createdAt } = record;
  const { template, overlap, missed, within, jitter, start, end, maxRuns, owner, description } = spec;
  const next = nextFire(record);
  return {
    name,
    task: template.task,
    queue: template.queue,
    ...(!isOnce(spec) && timingOf(spec.timing)),
    ...(template.payload !== undefined && { payload: template.payload }),
    overlap,
    missed,
    missedWithin: within,
    ...(jitter !== undefined && { jitter }),
    ...(start !== undefined && { startAt: iso(start) }),
    ...(end !== undefined && { endAt: iso(end) }),
    ...(maxRuns !== undefined && { maxRuns }),
    ...(owner !== undefined && { owner }),
    ...(description !== undefined && { description }),
    tags: template.tags ?? [],
    inCode: by === 'code',
    state: stateOf(state, next),
    ...(state.paused && { pausedAt: iso(state.paused.at) }),
    ...(state.paused?.reason !== undefined && { pauseReason: state.paused.reason }),
    createdAt: iso(createdAt),
    ...(next !== undefined && { next: iso(next) }),
    sent: state.sent,
    missedCount: state.missed,
    skippedCount: state.skipped,
    rearmedCount: state.rearmed,
    ...(state.lag !== undefined && { lag: state.lag }),
    runs: state.runs.map(runOf),
  };
}

function stateOf({ paused, undeclared }: ScheduleState, next: number | undefined): ScheduleInfo['state'] {
  if (undeclared !== undefined) return 'undeclared';
  if (paused) return 'paused';
  return next === undefined ? 'ended' : 'active';
}

function timingOf(timing: Timing): Pick<ScheduleInfo, 'cron' | 'timeZone' | 'utcOffset' | 'every'> {
  if ('every' in timing) return { every: timing.every };
  const { cron, zone, offset } = timing;
  return { cron, ...(zone !== undefined && { timeZone: zone }), ...(offset !== undefined && { utcOffset: offset }) };
}

function runOf({ id, at, sentAt, by }: FiredRun): ScheduleRun {
  return { id, scheduledFor: iso(at), sentAt: iso(sentAt), by: by ?? 'schedule' };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
