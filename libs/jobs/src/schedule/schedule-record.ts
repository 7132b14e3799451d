import type { MissedPolicy } from './due-fires.js';
import type { Timing } from './fire-times.js';

/** What becomes of a fire whose schedule's last job has not ended. @publicApi */
export type OverlapPolicy = 'allow' | 'skip' | 'queue' | 'cancel-previous';

/** What every job of a schedule is made of; decided when it is declared or created. @internal */
export interface FireTemplate {
  readonly task: string;
  readonly queue: string;
  readonly payload?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tags?: readonly string[];
  /** BullMQ's. */
  readonly priority: number;
  readonly attempts: number;
  /** Milliseconds after its time. */
  readonly expiresIn?: number;
  readonly keepResult?: false;
}

/** What a schedule is, without what has become of it. Times are milliseconds. @internal */
export interface ScheduleSpec {
  readonly timing: Timing;
  readonly template: FireTemplate;
  readonly overlap: OverlapPolicy;
  readonly missed: MissedPolicy;
  readonly within: number;
  readonly jitter?: number;
  readonly start?: number;
  readonly end?: number;
  readonly maxRuns?: number;
  /** Its one time is so long after the start of the fleet; as declared it has none yet. */
  readonly delay?: number;
  readonly owner?: string;
  readonly description?: string;
}

/** A job that was sent for a schedule. @internal */
export interface FiredRun {
  /** Its nominal time; for one that was triggered, when. */
  readonly at: number;
  readonly id: string;
  readonly sentAt: number;
  /** `trigger`: by hand; `backfill`: for a time that had passed. */
  readonly by?: 'trigger' | 'backfill';
}

/** Jobs that are to be sent for times that are due, and what that settles. @internal */
export interface FireIntent {
  /** In the order of their times. */
  readonly runs: readonly FiredRun[];
  /** The last nominal time that is settled by it. */
  readonly until: number;
  readonly missed: number;
  readonly skipped: number;
}

/** @internal */
export interface ScheduleState {
  /** When it was made, resumed, or given other times: what was due before is nobody's. */
  readonly since: number;
  /** The last nominal time that is settled, whether it was sent or not. */
  readonly last?: number;
  /** What somebody has begun to send, where one job too many must not be: whoever finds it ends it before all else. */
  readonly sending?: FireIntent;
  readonly paused?: { readonly at: number; readonly reason?: string };
  /** Of one of the code: since when no live process has it. */
  readonly undeclared?: number;
  readonly sent: number;
  readonly missed: number;
  readonly skipped: number;
  readonly rearmed: number;
  /** How late (ms) the last job was sent. */
  readonly lag?: number;
  /** The newest first. */
  readonly runs: readonly FiredRun[];
}

/** A schedule as it is stored. @internal */
export interface ScheduleRecord {
  readonly spec: ScheduleSpec;
  readonly by: 'code' | 'call';
  readonly createdAt: number;
  readonly state: ScheduleState;
}

const RUNS_KEPT = 20;

/** Of jobs, the newest first, those that are kept: the last one for a time that had come among them, whatever came after it. @internal */
export function keptOf(runs: readonly FiredRun[]): FiredRun[] {
  const kept = runs.slice(0, RUNS_KEPT);
  const last = runs.find(({ by }) => by === undefined);
  return last === undefined || kept.includes(last) ? kept : [...kept.slice(0, -1), last];
}

/** With the times before its first one, which it would have had. @internal */
export function withoutStart({ start: _first, ...spec }: ScheduleSpec): ScheduleSpec {
  return spec;
}

/** @internal */
export function newState(now: number): ScheduleState {
  return { since: now, sent: 0, missed: 0, skipped: 0, rearmed: 0, runs: [] };
}
