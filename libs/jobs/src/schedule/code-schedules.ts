import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import stringify from 'safe-stable-stringify';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { ScheduleClock } from './schedule-clock.js';
import { onceAt } from './once.js';
import { ScheduleDeclarations, type CodeSchedule } from './schedule-declarations.js';
import { ScheduleFires } from './schedule-fires.js';
import { IN_CODE, ScheduleRecords, type FoundSchedule } from './schedule-records.js';
import { newState, type ScheduleRecord, type ScheduleSpec } from './schedule-record.js';

/** What a process says that its code has: under each name the schedule's hash, and since when anybody has that. */
type Announced = Record<string, { hash: string; since: number }>;

const COLLECTION = 'code-schedules';
/** Announcements in the time for which one counts. */
const PER_LEASE = 3;
const TRIED_AGAIN_AFTER = 2_000;
const PAGE = 500;
/** Milliseconds after which one is deleted that no process has any more. */
const FORGOTTEN_AFTER = 7 * 24 * 3_600_000;

/** What came of a look at the schedules of the code. */
interface Changes {
  readonly added: string[];
  readonly changed: string[];
  readonly stopped: string[];
  /** Of other processes. */
  readonly kept: string[];
}

/**
 * Keeps what is stored of the schedules of the code the same as the code. While a deploy rolls, processes have different
 * code: of what several have, the newest counts, by when it was first announced; what none has any more stops.
 *
 * @internal
 */
@Injectable()
export class CodeSchedules implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Jobs');
  private readonly key = randomUUID();
  private own = new Map<string, { schedule: CodeSchedule; hash: string; since: number }>();
  /** Of those whose time is counted from the start: that it was. */
  private readonly begun = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isStopped = false;
  private isFirst = true;

  constructor(
    private readonly declarations: ScheduleDeclarations,
    private readonly records: ScheduleRecords,
    private readonly clock: ScheduleClock,
    private readonly fires: ScheduleFires,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** Waits for a store that is there, so that after the boot the schedules are those of the code. */
  async onApplicationBootstrap(): Promise<void> {
    // Closed while it still booted: what began now would never be stopped.
    if (this.isStopped) return;
    for (const schedule of this.declarations.all()) {
      this.own.set(schedule.name, { schedule, hash: declaredHash(schedule.spec), since: Date.now() });
    }
    this.looking = this.keepAnnounced();
    if (this.own.size > 0) await settlesWithin(this.options.connectTimeout, this.looking);
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    const leaving = this.looking.then(() => this.backend.ledger.delete(COLLECTION, this.key));
    await settlesWithin(this.options.connectTimeout, leaving);
  }

  private async keepAnnounced(): Promise<void> {
    // Who has none only looks whether others have.
    let pause = this.options.lease / (this.own.size > 0 ? PER_LEASE : 1);
    try {
      await this.backend.whenReady(this.options.connectTimeout);
      // In this order: who stores a schedule has announced it before, so that none is found here without its process.
      const stored = await this.stored();
      const others = await this.announced();
      for (const [name, own] of this.own) {
        const since = others.flatMap((each) => (each[name]?.hash === own.hash ? [each[name].since] : []));
        own.since = Math.min(own.since, ...since);
      }
      const mine: Announced = Object.fromEntries(
        [...this.own].map(([name, { hash, since }]) => [name, { hash, since }]),
      );
      if (this.own.size > 0) await this.backend.ledger.put(COLLECTION, this.key, mine, this.options.lease);
      const changes = await this.reconcile(stored, [...others, mine]);
      this.report(changes);
    } catch (error) {
      this.logger.debug(`Schedules of the code are not looked at: ${(error as Error).message}`);
      pause = TRIED_AGAIN_AFTER;
    }
    if (this.isStopped) return;
    const again = (): void => void (this.looking = this.keepAnnounced());
    this.timer = setTimeout(again, pause).unref();
  }

  private async announced(): Promise<Announced[]> {
    const records = await this.backend.ledger.list(COLLECTION);
    return records.flatMap(({ key, value }) => (key === this.key ? [] : [value as unknown as Announced]));
  }

  private async stored(): Promise<ReadonlyMap<string, FoundSchedule>> {
    const stored = new Map<string, FoundSchedule>();
    for (let cursor: string | undefined; ;) {
      const page = await this.records.list({ cursor, limit: PAGE, owner: IN_CODE });
      for (const each of page.schedules) stored.set(each.name, each);
      if (page.cursor === undefined) return stored;
      cursor = page.cursor;
    }
  }

  private async reconcile(
    stored: ReadonlyMap<string, FoundSchedule>,
    announced: readonly Announced[],
  ): Promise<Changes> {
    const changes: Changes = { added: [], changed: [], stopped: [], kept: [] };
    for (const [name, { schedule, hash }] of this.own) {
      if (newestOf(name, announced) !== hash) continue;
      const isStarting = this.isFirst && !this.begun.has(name) && announced.filter((each) => name in each).length === 1;
      await this.store(schedule, stored.get(name), isStarting, changes);
      this.begun.add(name);
    }
    for (const [name, found] of stored) {
      if (!announced.some((each) => name in each)) await this.stop(found, changes);
      else if (!this.own.has(name)) changes.kept.push(name);
    }
    return changes;
  }

  /** What has become of it is kept for a while: the one process that has it may only be on its way back. */
  private async stop({ name, version, record }: FoundSchedule, { stopped }: Changes): Promise<void> {
    const now = Date.now();
    const { undeclared } = record.state;
    if (undeclared !== undefined) {
      if (now - undeclared > FORGOTTEN_AFTER) await this.records.remove(name, version);
      return;
    }
    const state = { ...record.state, undeclared: now };
    if (!(await this.records.write(name, version, { ...record, state }))) return;
    await this.clock.disarm(name);
    stopped.push(name);
  }

  private async store(
    { name, spec: declared }: CodeSchedule,
    stored: FoundSchedule | undefined,
    isStarting: boolean,
    { added, changed }: Changes,
  ): Promise<void> {
    const now = Date.now();
    const spec = timedFrom(declared, now);
    if (!stored) {
      const record: ScheduleRecord = { spec, by: 'code', createdAt: now, state: newState(now) };
      if (!(await this.records.write(name, 0, record))) {
        const found = await this.records.read(name);
        if (found?.record.by === 'call') {
          this.logger.error(
            `The schedule "${name}" of the code is not stored: jobs.schedules.create() has made one of that name.`,
          );
        }
        return;
      }
      await this.arm(name, spec);
      added.push(name);
      return;
    }
    const { record, version } = stored;
    const { undeclared, ...before } = record.state;
    const beginsAnew = isStarting && spec.delay !== undefined;
    const isChanged = declaredHash(record.spec) !== declaredHash(declared);
    if (!beginsAnew && !isChanged && undeclared === undefined) return;
    // What was due while no process had it is made up for by its policy, unless its times are others now.
    const hasOtherTimes = hashOf([record.spec.timing]) !== hashOf([spec.timing]);
    const state = hasOtherTimes ? { ...before, since: now, last: now } : before;
    if (!(await this.records.write(name, version, { ...record, spec, state }))) return;
    await this.arm(name, spec);
    if (isChanged) changed.push(name);
    else if (undeclared !== undefined) added.push(name);
  }

  private async arm(name: string, spec: ScheduleSpec): Promise<void> {
    await this.clock.arm(name, spec);
    // A time that passes before its alarm is set has none.
    if (spec.delay !== undefined && spec.end! <= Date.now()) await this.fires.fire(name);
  }

  private report(changes: Changes): void {
    // That others have what this process has not is news once.
    const { kept: _, ...news } = changes;
    const shown = Object.entries(this.isFirst ? changes : news).filter(([, names]) => names.length > 0);
    this.isFirst = false;
    if (shown.length === 0) return;
    const said = shown.map(([what, names]) => `${what} ${names.join(', ')}`);
    this.logger.log(`Schedules of the code: ${said.join('; ')}.`);
  }
}

/** The hash that was announced last, of those that live processes have. */
function newestOf(name: string, announced: readonly Announced[]): string | undefined {
  const since = new Map<string, number>();
  for (const each of announced) {
    const found = each[name];
    if (found) since.set(found.hash, Math.min(found.since, since.get(found.hash) ?? Infinity));
  }
  const [newest] = [...since].sort(([a, at], [b, bt]) => bt - at || (a < b ? -1 : 1));
  return newest?.[0];
}

/** With its time, when that is counted from now. */
function timedFrom(spec: ScheduleSpec, now: number): ScheduleSpec {
  // Later than what the record begins with, or it would have passed before.
  return spec.delay === undefined ? spec : { ...spec, ...onceAt(now + Math.max(1, spec.delay)) };
}

/** Of what the code says: the same for a time that is counted from the start, whenever that was. */
function declaredHash(spec: ScheduleSpec): string {
  return hashOf(spec.delay === undefined ? spec : { ...spec, ...onceAt(0) });
}

function hashOf(spec: ScheduleSpec | readonly unknown[]): string {
  return createHash('sha256').update(stringify(spec)!).digest('base64url').slice(0, 22);
}
