import { Injectable } from '@nestjs/common';
import { toTime } from '../client/enqueue-options.js';
import type { JobHandle } from '../client/job-handle.js';
import { newJobId } from '../client/job-id.js';
import { requireText } from '../client/invalid-argument.error.js';
import { JobsClient } from '../client/jobs-client.js';
import { nextFire, timesOf } from './next-fire.js';
import { ScheduleClock } from './schedule-clock.js';
import { isSameSpec, ScheduleDeclarations } from './schedule-declarations.js';
import { idOf, ScheduleFires } from './schedule-fires.js';
import { infoOf, type ScheduleInfo } from './schedule-info.js';
import { assertScheduleKeys, asSchedule, requireScheduleName } from './schedule-options.js';
import { ScheduleRecords } from './schedule-records.js';
import { keptOf, newState, withoutStart, type FiredRun, type ScheduleRecord } from './schedule-record.js';
import {
  CHANGE_KEYS,
  changedSpec,
  LONGEST_DESCRIPTION,
  requireOwner,
  SCHEDULE_KEYS,
  specOf,
  type NewSchedule,
  type ScheduleChange,
} from './schedule-settings.js';
import { InvalidScheduleError, ScheduleExistsError, ScheduleNotFoundError } from './schedule.errors.js';

/** Which schedules {@link Schedules.list} gives. @publicApi */
export interface ScheduleFilter {
  readonly owner?: string;
  /** At most 500. @default 100 */
  readonly limit?: number;
  /** Of the page before. @default from the beginning */
  readonly cursor?: string;
}

const MOST_LISTED = 500;
const MOST_NEXT = 1_000;
const MOST_BACKFILLED = 10_000;
const TOGETHER = 200;

/**
 * Schedules that are made and changed while the app runs, and all others to look at. What is stored here fires as long as
 * any process of the fleet works queues.
 *
 * The same as `jobs.schedules`. The idea is that of django-celery-beat, and Temporal's schedules.
 *
 * @publicApi
 */
@Injectable()
export class Schedules {
  /** @internal */
  constructor(
    private readonly records: ScheduleRecords,
    private readonly declarations: ScheduleDeclarations,
    private readonly clock: ScheduleClock,
    private readonly fires: ScheduleFires,
    private readonly client: JobsClient,
  ) {}

  /**
   * Stores a schedule; one that is there already and is the same stays as it is, with what has become of it.
   *
   * @throws {@link ScheduleExistsError} when another one has the name, {@link InvalidScheduleError}, and what `enqueue`
   * throws.
   */
  async create<Payload>(schedule: NewSchedule<Payload>): Promise<ScheduleInfo> {
    assertScheduleKeys(schedule, SCHEDULE_KEYS, 'schedules.create()');
    const name = requireScheduleName(schedule.name, 'schedules.create()');
    const spec = await specOf(this.declarations, schedule as unknown as NewSchedule, `the schedule "${name}"`);
    const now = Date.now();
    const record: ScheduleRecord = { spec, by: 'call', createdAt: now, state: newState(now) };
    for (;;) {
      // First what is to fire, then the alarm: who dies in between has stored what the keeper finds.
      if (await this.records.write(name, 0, record)) {
        await this.clock.arm(name, spec);
        return infoOf(name, record);
      }
      const found = await this.records.read(name);
      if (!found) continue;
      if (found.record.by === 'code') throw inCode(name, 'Give this one another name');
      if (isSameSpec(found.record.spec, spec)) {
        // Whoever has made it may have died before.
        if (nextFire(found.record) !== undefined) await this.clock.arm(name, spec);
        return infoOf(name, found.record);
      }
      throw new ScheduleExistsError(
        name,
        `there is another schedule "${name}". Change it with schedules.update(), or give this one another name.`,
      );
    }
  }

  /**
   * Gives a schedule other settings; what is left out stays. With other times it begins anew, as does one that had ended:
   * nothing that was due before is made up for.
   *
   * @throws {@link ScheduleNotFoundError}, {@link InvalidScheduleError}, and {@link ScheduleExistsError} for one that the
   * code has.
   */
  async update<Payload>(name: string, change: ScheduleChange<Payload>): Promise<ScheduleInfo> {
    const place = `the schedule "${name}"`;
    assertScheduleKeys(change, CHANGE_KEYS, place);
    for (;;) {
      const found = await this.records.read(name);
      if (!found) throw new ScheduleNotFoundError(name);
      const { record, version } = found;
      if (record.by === 'code') throw inCode(name, 'Change its decorator');
      const spec = await changedSpec(this.declarations, record.spec, change as ScheduleChange, place);
      const now = Date.now();
      const isRetimed = !isSameSpec({ ...record.spec, timing: spec.timing, start: spec.start! }, record.spec);
      // What had ended, and goes on by the change, has missed nothing.
      const state = isRetimed || hasEnded(record) ? { ...record.state, since: now, last: now } : record.state;
      const after = { ...record, spec, state };
      if (!(await this.records.write(name, version, after))) continue;
      if (!state.paused) await this.clock.arm(name, spec);
      return infoOf(name, after);
    }
  }

  /** @throws {@link ScheduleNotFoundError} */
  async pause(name: string, options: { reason?: string } = {}): Promise<ScheduleInfo> {
    const { reason } = options;
    if (reason !== undefined) requireText('the reason of a pause', reason, LONGEST_DESCRIPTION);
    const paused = { at: Date.now(), ...(reason !== undefined && { reason }) };
    const record = await this.records.change(name, (before) =>
      before.state.paused ? before : { ...before, state: { ...before.state, paused } },
    );
    await this.clock.disarm(name);
    return infoOf(name, record);
  }

  /** Nothing that was due during the pause is made up for. @throws {@link ScheduleNotFoundError} */
  async resume(name: string): Promise<ScheduleInfo> {
    const now = Date.now();
    const record = await this.records.change(name, (before) => {
      if (!before.state.paused) return before;
      const { paused: _over, ...state } = before.state;
      return { ...before, state: { ...state, since: now, last: now } };
    });
    await this.clock.arm(name, record.spec);
    return infoOf(name, record);
  }

  /**
   * Sends a job now, whatever the time, the pause and the overlap; its times stay as they are.
   *
   * @param options - `payload` in the place of the schedule's.
   * @throws {@link ScheduleNotFoundError}
   */
  async trigger(name: string, options: { payload?: unknown } = {}): Promise<JobHandle> {
    const found = await this.records.read(name);
    if (!found) throw new ScheduleNotFoundError(name);
    const { payload } = options;
    if (payload !== undefined) {
      await this.declarations.checkPayload(found.record.spec.template, payload, `the schedule "${name}"`);
    }
    const now = Date.now();
    const run: FiredRun = { at: now, id: newJobId(found.record.spec.template.queue), sentAt: now, by: 'trigger' };
    await this.fires.sendFor(name, found.record, [run], payload);
    await this.remember(name, [run]);
    return this.client.job(run.id);
  }

  /** False when there was none. Jobs that it has sent stay. @throws {@link ScheduleExistsError} for one that the code has. */
  async delete(name: string): Promise<boolean> {
    for (;;) {
      const found = await this.records.read(name);
      if (!found) return false;
      if (found.record.by === 'code' && found.record.state.undeclared === undefined)
        throw inCode(name, 'Remove its decorator, or say { disabled: true } there');
      // Not one that was changed meanwhile: it may be declared again.
      if (!(await this.records.remove(name, found.version))) continue;
      await this.clock.disarm(name);
      return true;
    }
  }

  /** With what has become of its last jobs. */
  async get(name: string): Promise<ScheduleInfo | undefined> {
    const found = await this.records.read(name);
    if (!found) return undefined;
    const info = infoOf(name, found.record);
    const runs = info.runs.map(async (run) => {
      const status = await this.client.statusAnywhere(run.id);
      return { ...run, ...(status && { state: status.state }) };
    });
    return { ...info, runs: await Promise.all(runs) };
  }

  /** By name, those of the code among them. */
  async list(filter: ScheduleFilter = {}): Promise<{ schedules: ScheduleInfo[]; cursor?: string }> {
    const { owner, limit = 100, cursor } = filter;
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST_LISTED) {
      throw new InvalidScheduleError(
        'schedules.list()',
        `must have a "limit" from 1 to ${MOST_LISTED}, but it is ${String(limit)}.`,
      );
    }
    const page = await this.records.list({
      cursor,
      limit,
      owner: owner === undefined ? undefined : requireOwner(owner),
    });
    const schedules = page.schedules.map(({ name, record }) => infoOf(name, record));
    return { schedules, ...(page.cursor !== undefined && { cursor: page.cursor }) };
  }

  /** The next `count` times; fewer when it ends before. None while it is paused. @throws {@link ScheduleNotFoundError} */
  async next(name: string, count = 5): Promise<Date[]> {
    const found = await this.records.read(name);
    if (!found) throw new ScheduleNotFoundError(name);
    const { spec, state } = found.record;
    const left = Math.min(count, MOST_NEXT, (spec.maxRuns ?? Infinity) - state.sent);
    if (nextFire(found.record) === undefined) return [];
    const from = Math.max(state.last ?? state.since, Date.now());
    return timesOf(spec)
      .between(from, Infinity, left)
      .map((time) => new Date(time));
  }

  /**
   * Sends a job for each time between two, both included, that the schedule has or would have had; one that was sent and is
   * kept is not sent again.
   *
   * @returns how many times there are, at most 10,000.
   * @throws {@link ScheduleNotFoundError}, {@link InvalidScheduleError}
   */
  async backfill(name: string, from: Date | string, to: Date | string): Promise<number> {
    const place = `the backfill of "${name}"`;
    const [first, last] = asSchedule(place, () => [toTime(from, 'from'), toTime(to, 'to')] as const);
    const found = await this.records.read(name);
    if (!found) throw new ScheduleNotFoundError(name);
    const { spec } = found.record;
    const times = timesOf(withoutStart(spec)).between(first - 1, Math.min(last, Date.now()), MOST_BACKFILLED + 1);
    if (times.length > MOST_BACKFILLED) {
      throw new InvalidScheduleError(place, `has more than ${MOST_BACKFILLED} times. Do it in parts.`);
    }
    const sentAt = Date.now();
    const runs = times.map((at): FiredRun => ({ at, id: idOf(name, spec, at), sentAt, by: 'backfill' }));
    for (let n = 0; n < runs.length; n += TOGETHER) {
      await this.fires.sendFor(name, found.record, runs.slice(n, n + TOGETHER));
    }
    await this.remember(name, runs.toReversed());
    return runs.length;
  }

  private async remember(name: string, runs: readonly FiredRun[]): Promise<void> {
    if (runs.length === 0) return;
    try {
      await this.records.change(name, (record) => ({
        ...record,
        state: { ...record.state, runs: keptOf([...runs, ...record.state.runs]) },
      }));
    } catch (error) {
      // Deleted meanwhile.
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
  }
}

function inCode(name: string, fix: string): ScheduleExistsError {
  return new ScheduleExistsError(name, `the schedule "${name}" is declared in the code. ${fix}.`);
}

function hasEnded(record: ScheduleRecord): boolean {
  return record.state.paused === undefined && nextFire(record) === undefined;
}
