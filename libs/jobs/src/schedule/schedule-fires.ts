import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { ScheduledFire } from '../client/envelope.js';
import { JobNotFoundError } from '../client/client.errors.js';
import { callersJobId } from '../client/job-id.js';
import { JobsClient } from '../client/jobs-client.js';
import { retention, type PreparedJob } from '../client/prepared-job.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { DECIDED_BACKOFF } from '../retry/decided-backoff.js';
import { dueFires, latest } from './due-fires.js';
import { FireSender } from './fire-sender.js';
import { nextFire, timesOf } from './next-fire.js';
import {
  keptOf,
  withoutStart,
  type FiredRun,
  type FireIntent,
  type ScheduleRecord,
  type ScheduleSpec,
} from './schedule-record.js';
import { ScheduleRecords, type FoundSchedule } from './schedule-records.js';

/** What a look at a schedule came to: when it fires next, or that nothing is left to fire. @internal */
export type Fired =
  | {
      readonly kind: 'armed';
      readonly next: number;
      /** Whether something was due. */
      readonly hasSettled: boolean;
      readonly spec: ScheduleSpec;
    }
  | { readonly kind: 'over' };

interface Wanted {
  readonly fires: readonly number[];
  /** Ids of jobs. */
  readonly previous: readonly string[];
  /** Times that the last job leaves no room for. */
  readonly skipped: number;
}

/** Counts what this process has settled of schedules; each fire is settled by one process. @internal */
export interface FireObserver {
  /** @param lags - of the jobs that were sent: how long (ms) after their times. */
  settled(task: string, queue: string, lags: readonly number[], missed: number): void;
}

/** Sends the jobs of schedules whose time has come. @internal */
@Injectable()
export class ScheduleFires {
  observer: FireObserver | undefined;
  /** What is being sent here, of which nobody may have taken note: by schedule, and past a store that was away meanwhile. */
  private readonly sending = new Map<string, FireIntent>();

  constructor(
    private readonly records: ScheduleRecords,
    private readonly client: JobsClient,
    private readonly sender: FireSender,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /**
   * Sends whatever is due, by the schedule's policies, and remembers it. Two may do it at once, and one may die anywhere in
   * it: a job's id is made of its time, so that it is sent once. Where a job for another time must not be sent beside it, the
   * intent is stored first, and ended by whoever finds it.
   */
  async fire(name: string): Promise<Fired> {
    let hasSettled = false;
    for (;;) {
      const found = await this.records.read(name);
      if (!found) {
        this.sending.delete(name);
        return { kind: 'over' };
      }
      const { record } = found;
      const { spec, state } = record;
      // Between the jobs and the note of them it may have been paused, or be sent to another queue.
      const unnoted = state.sending ?? this.unnoted(found);
      if (unnoted) {
        await this.end(found, unnoted);
        continue;
      }
      if (isOver(record)) return { kind: 'over' };
      const now = Date.now();
      const { last = state.since } = state;
      const due = dueFires(timesOf(spec), { last, now, missed: spec.missed, within: spec.within });
      if (due.until === undefined) return nextOf(record, hasSettled);
      const { fires, previous, skipped } = await this.wanted(record, due.fires);
      const intent: FireIntent = {
        runs: fires.map((at) => ({ at, id: idOf(name, spec, at), sentAt: now })),
        until: due.until,
        missed: due.missed,
        skipped,
      };
      let { version } = found;
      if (isCounted(spec) && fires.length > 0) {
        const intended = { ...record, state: { ...state, sending: intent } };
        if (!(await this.records.write(name, version, intended))) continue;
        version++;
      }
      for (const id of previous) await this.cancel(id);
      this.sending.set(name, intent);
      await this.sendRuns(name, record, intent.runs);
      hasSettled = true;
      const after = settled(record, intent, now);
      // Somebody else was faster, or has changed the schedule: what he left is looked at again.
      const isNoted = await this.records.write(name, version, after);
      if (isNoted) {
        this.sending.delete(name);
        this.tell(spec, intent);
      }
      if (!isNoted || due.hasMore) continue;
      return nextOf(after, true);
    }
  }

  private unnoted({ name, record: { state } }: FoundSchedule): FireIntent | undefined {
    const sent = this.sending.get(name);
    if (sent && sent.until > (state.last ?? state.since)) return sent;
    this.sending.delete(name);
    return undefined;
  }

  /** What somebody began to send who has died in it, or is slow. */
  private async end({ name, version, record }: FoundSchedule, intent: FireIntent): Promise<void> {
    const { spec, state } = record;
    const { last = state.since } = state;
    const now = Date.now();
    // Of a schedule that was changed meanwhile the job may be another one; what was due before a pause is nobody's.
    const isWanted = ({ at, id }: FiredRun): boolean =>
      !state.paused && at > last && now - at <= latest(spec.missed, spec.within) && id === idOf(name, spec, at);
    const runs: FiredRun[] = [];
    const unsent: FiredRun[] = [];
    for (const run of intent.runs) {
      if ((await this.client.statusAnywhere(run.id)) !== undefined) runs.push(run);
      else if (isWanted(run)) unsent.push({ ...run, sentAt: now });
    }
    if (unsent.length > 0 && spec.overlap === 'cancel-previous') {
      for (const id of await this.running(state.runs)) await this.cancel(id);
    }
    await this.sendRuns(name, record, unsent);
    const all = [...runs, ...unsent].toSorted((a, b) => a.at - b.at);
    const missed = intent.missed + intent.runs.length - all.length;
    const ended = { ...intent, runs: all, missed };
    if (await this.records.write(name, version, settled(record, ended, now))) this.tell(spec, ended);
  }

  private tell({ template: { task, queue } }: ScheduleSpec, { runs, missed }: FireIntent): void {
    const lags = runs.map(({ at, sentAt }) => sentAt - at);
    this.observer?.settled(task, queue, lags, missed);
  }

  /** Sends jobs that somebody wants: one now, or those for times that have passed. */
  async sendFor(name: string, record: ScheduleRecord, runs: readonly FiredRun[], payload?: unknown): Promise<void> {
    const spec =
      payload === undefined ? record.spec : { ...record.spec, template: { ...record.spec.template, payload } };
    const before = ({ at, by }: FiredRun, n: number): number | undefined =>
      by === 'backfill' ? (runs[n - 1]?.at ?? timesOf(withoutStart(spec)).lastUntil(at - 1)) : previousOf(record);
    await this.sender.send(runs.map((run, n) => this.jobOf(name, spec, run, before(run, n))));
  }

  /** Of the times that are due, those that the schedule's last job leaves room for, and what is cancelled for them. */
  private async wanted({ spec, state }: ScheduleRecord, due: readonly number[]): Promise<Wanted> {
    const { overlap, maxRuns = Infinity } = spec;
    const fires = due.slice(0, Math.max(0, maxRuns - state.sent));
    if (overlap === 'allow' || overlap === 'queue' || fires.length === 0) return { fires, previous: [], skipped: 0 };
    const running = await this.running(state.runs);
    if (overlap === 'skip' && running.length > 0) return { fires: [], previous: [], skipped: fires.length };
    // Of several, each would overlap with the one after it.
    return { fires: fires.slice(-1), previous: running, skipped: fires.length - 1 };
  }

  /** Of the last job for a time that had come, and those that were sent by hand since, the ones that have not ended. */
  private async running(runs: readonly FiredRun[]): Promise<string[]> {
    const last = runs.findIndex(({ by }) => by === undefined);
    const running: string[] = [];
    for (const { id, by } of last === -1 ? runs : runs.slice(0, last + 1)) {
      // Those of times that have passed overlap with each other anyway.
      if (by === 'backfill') continue;
      const status = await this.client.statusAnywhere(id);
      if (status && !status.terminal) running.push(id);
    }
    return running;
  }

  private async cancel(id: string): Promise<void> {
    try {
      await this.client.cancelAnywhere(id, 'the next run of its schedule is due');
    } catch (error) {
      if (!(error instanceof JobNotFoundError)) throw error;
    }
  }

  private sendRuns(name: string, record: ScheduleRecord, runs: readonly FiredRun[]): Promise<void> {
    const { spec } = record;
    return this.sender.send(runs.map((run, n) => this.jobOf(name, spec, run, runs[n - 1]?.at ?? previousOf(record))));
  }

  private jobOf(
    name: string,
    spec: ScheduleSpec,
    { at, id, sentAt, by }: FiredRun,
    previous: number | undefined,
  ): PreparedJob {
    const { task, queue, payload, headers, tags, priority, attempts, expiresIn, keepResult } = spec.template;
    const delay = by === undefined ? jitterOf(spec, id) : 0;
    const fire: ScheduledFire = {
      s: name,
      at,
      by: sentAt,
      ...(previous !== undefined && { p: previous }),
      ...(spec.overlap === 'queue' && { q: 1 as const }),
      ...(by !== undefined && { h: by }),
    };
    return {
      id,
      queue,
      name: task,
      data: {
        ...(payload !== undefined && { p: payload }),
        ...(headers && { h: headers }),
        ...(tags && tags.length > 0 && { t: tags }),
        ...(expiresIn !== undefined && { x: sentAt + delay + expiresIn }),
        ...(keepResult === false && { k: 0 as const }),
        e: fire,
      },
      opts: {
        jobId: id,
        attempts,
        backoff: { type: DECIDED_BACKOFF },
        priority,
        ...(delay > 0 && { delay }),
        ...retention(this.options),
      },
      start: { state: delay > 0 ? 'scheduled' : 'pending', delay },
    };
  }
}

/** What has become of a schedule once these were sent. */
function settled(record: ScheduleRecord, { runs, until, missed, skipped }: FireIntent, now: number): ScheduleRecord {
  const { sending: _over, ...state } = record.state;
  return {
    ...record,
    state: {
      ...state,
      last: Math.max(until, state.last ?? state.since),
      sent: state.sent + runs.length,
      missed: state.missed + missed,
      skipped: state.skipped + skipped,
      ...(runs.length > 0 && { lag: now - runs.at(-1)!.at }),
      runs: keptOf([...runs.toReversed(), ...state.runs]),
    },
  };
}

/** Whether a job that nobody remembers would be followed by one too many. */
function isCounted({ overlap, maxRuns }: ScheduleSpec): boolean {
  return overlap === 'skip' || overlap === 'cancel-previous' || maxRuns !== undefined;
}

/** @internal */
export function idOf(name: string, { template }: ScheduleSpec, at: number): string {
  return callersJobId(template.queue, `${name}-${at}`);
}

function isOver(record: ScheduleRecord): boolean {
  return nextFire(record) === undefined;
}

function nextOf(record: ScheduleRecord, hasSettled: boolean): Fired {
  const next = nextFire(record);
  return next === undefined ? { kind: 'over' } : { kind: 'armed', next, hasSettled, spec: record.spec };
}

function previousOf({ state }: ScheduleRecord): number | undefined {
  return state.runs.find(({ by }) => by === undefined)?.at;
}

/** The same for one job each time. */
function jitterOf({ jitter }: ScheduleSpec, id: string): number {
  if (jitter === undefined) return 0;
  return createHash('sha256').update(id).digest().readUInt32BE() % jitter;
}
