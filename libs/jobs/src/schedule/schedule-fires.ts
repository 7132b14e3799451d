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
import { dueFires } from './due-fires.js';
import { nextFire, timesOf } from './next-fire.js';
import type { FiredRun, ScheduleRecord, ScheduleSpec } from './schedule-record.js';
import { ScheduleRecords } from './schedule-records.js';
import { settle, type SettledFires } from './settled-fires.js';

/** What a look at a schedule came to: when it fires next, or that nothing is left to fire. @internal */
export type Fired = { readonly kind: 'armed'; readonly next: number } | { readonly kind: 'over' };

/** Sends the jobs of schedules whose time has come. @internal */
@Injectable()
export class ScheduleFires {
  constructor(
    private readonly records: ScheduleRecords,
    private readonly client: JobsClient,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /**
   * Sends whatever is due, by the schedule's policies, and remembers it. Two may do it at once, and one may die anywhere in
   * it: a job's id is made of its time, so that it is sent once.
   */
  async fire(name: string): Promise<Fired> {
    for (let settled: SettledFires | undefined; ;) {
      const found = await this.records.read(name);
      if (!found) return { kind: 'over' };
      const { record, version } = found;
      if (settled) {
        // Somebody else has written in between: with the same times, or a pause, or other settings.
        const state = settle(record.state, settled);
        if (state === record.state || (await this.records.write(name, version, { ...record, state })))
          settled = undefined;
        continue;
      }
      if (isOver(record)) return { kind: 'over' };
      const { spec, state } = record;
      const now = Date.now();
      const { last = state.since } = state;
      const due = dueFires(timesOf(spec), { last, now, missed: spec.missed, within: spec.within });
      if (due.until === undefined) return nextOf(record);
      const wanted = await this.wanted(record, due.fires);
      const runs = wanted.map((at) => ({ at, id: idOf(name, spec, at), sentAt: now }));
      await this.send(runs.map((run, n) => this.jobOf(name, spec, run, wanted[n - 1] ?? previousOf(record))));
      settled = { until: due.until, runs, missed: due.missed, skipped: due.fires.length - runs.length };
      const after = { ...record, state: settle(state, settled) };
      if (!(await this.records.write(name, version, after))) continue;
      if (!due.hasMore) return nextOf(after);
      settled = undefined;
    }
  }

  /** Sends a job for a time that nobody waits for: now, or one that has passed. */
  async sendFor(name: string, record: ScheduleRecord, runs: readonly FiredRun[], payload?: unknown): Promise<void> {
    const spec =
      payload === undefined ? record.spec : { ...record.spec, template: { ...record.spec.template, payload } };
    await this.send(runs.map((run) => this.jobOf(name, spec, run, previousOf(record))));
  }

  /** Of the times that are due, those that the schedule's last job leaves room for. */
  private async wanted({ spec, state }: ScheduleRecord, due: readonly number[]): Promise<readonly number[]> {
    const { overlap, maxRuns = Infinity } = spec;
    const fires = due.slice(0, Math.max(0, maxRuns - state.sent));
    if (overlap === 'allow' || overlap === 'queue' || fires.length === 0) return fires;
    const running = await this.running(state.runs);
    if (overlap === 'skip' && running.length > 0) return [];
    for (const id of running) await this.cancel(id);
    // Of several, each would overlap with the one after it.
    return fires.slice(-1);
  }

  /** Of the last run and those that were sent by hand after it: each of them may outlast the others. */
  private async running(runs: readonly FiredRun[]): Promise<string[]> {
    const last = runs.findIndex(({ by }) => by === undefined);
    const recent = last === -1 ? runs : runs.slice(0, last + 1);
    const statuses = await Promise.all(recent.map(({ id }) => this.client.status(id)));
    return recent.flatMap(({ id }, n) => (statuses[n]?.terminal === false ? [id] : []));
  }

  private async cancel(id: string): Promise<void> {
    try {
      await this.client.cancel(id, 'the next run of its schedule is due', true);
    } catch (error) {
      if (!(error instanceof JobNotFoundError)) throw error;
    }
  }

  private async send(jobs: readonly PreparedJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const refusal = (await this.client.sendPrepared(jobs)).find((outcome) => outcome instanceof Error);
    if (refusal) throw refusal;
  }

  private jobOf(
    name: string,
    spec: ScheduleSpec,
    { at, id, sentAt }: FiredRun,
    previous: number | undefined,
  ): PreparedJob {
    const { task, queue, payload, headers, tags, priority, attempts, expiresIn, keepResult } = spec.template;
    const delay = jitterOf(spec, id);
    const fire: ScheduledFire = {
      s: name,
      at,
      by: sentAt,
      ...(previous !== undefined && { p: previous }),
      ...(spec.overlap === 'queue' && { q: 1 as const }),
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

/** @internal */
export function idOf(name: string, { template }: ScheduleSpec, at: number): string {
  return callersJobId(template.queue, `${name}-${at}`);
}

function isOver(record: ScheduleRecord): boolean {
  return nextFire(record) === undefined;
}

function nextOf(record: ScheduleRecord): Fired {
  const next = nextFire(record);
  return next === undefined ? { kind: 'over' } : { kind: 'armed', next };
}

function previousOf({ state }: ScheduleRecord): number | undefined {
  return state.runs.find(({ by }) => by === undefined)?.at;
}

/** The same for one job each time. */
function jitterOf({ jitter }: ScheduleSpec, id: string): number {
  if (jitter === undefined) return 0;
  return createHash('sha256').update(id).digest().readUInt32BE() % jitter;
}
