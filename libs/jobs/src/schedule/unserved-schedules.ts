import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { WorkerPresence } from '../worker/worker-presence.js';
import { nextFire } from './next-fire.js';
import { ScheduleRecords } from './schedule-records.js';

const COLLECTION = 'unserved-schedules';
/** Schedules that are looked at together: however many there are, a look does no more. */
const PAGE = 100;
/** Milliseconds for which it counts that one was found so. */
const REMEMBERED = 3_600_000;

interface Unserved {
  readonly name: string;
  readonly task: string;
  readonly queue: string;
}

/** Schedules whose jobs nobody would run, for one and the same reason. @internal */
export interface UnservedReason extends Unserved {
  /** How many they are; `name` is one of them. */
  readonly count: number;
  /** What is wrong, for people. */
  readonly message: string;
}

/** Finds schedules whose jobs nobody would run: a task that was renamed, most often. @internal */
@Injectable()
export class UnservedSchedules {
  private readonly logger = new Logger('Jobs');
  private cursor: string | undefined;

  constructor(
    private readonly records: ScheduleRecords,
    private readonly presence: WorkerPresence,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  /** Looks at some of all schedules, and at others the next time. */
  async lookAtSome(): Promise<void> {
    const { schedules, cursor } = await this.records.list({ cursor: this.cursor, limit: PAGE });
    const known = new Set((await this.backend.ledger.list(COLLECTION)).map(({ key }) => key));
    const wasWhole = this.cursor === undefined && cursor === undefined;
    this.cursor = cursor;
    if (schedules.length === 0 && known.size === 0) return;
    const serves = await this.presence.served();
    const found: Unserved[] = [];
    for (const { name, record } of schedules) {
      const { task, queue } = record.spec.template;
      // In this order: a time costs far more to find than who is there.
      const isUnserved = !serves(task, queue) && nextFire(record) !== undefined;
      if (isUnserved && !known.has(name)) found.push({ name, task, queue });
      if (isUnserved) await this.backend.ledger.put(COLLECTION, name, { task, queue }, REMEMBERED);
      else if (known.has(name)) await this.backend.ledger.delete(COLLECTION, name);
    }
    for (const { message } of reasonsOf(found)) this.logger.warn(`Nobody would run what it sends: ${message}.`);
    if (!wasWhole) return;
    const all = new Set(schedules.map(({ name }) => name));
    for (const name of known) if (!all.has(name)) await this.backend.ledger.delete(COLLECTION, name);
  }

  async reasons(): Promise<UnservedReason[]> {
    const records = await this.backend.ledger.list(COLLECTION);
    return reasonsOf(records.map(({ key, value }) => ({ name: key, ...(value as { task: string; queue: string }) })));
  }
}

/** One for each task and queue: a task that was renamed may have the schedules of all users. */
function reasonsOf(all: readonly Unserved[]): UnservedReason[] {
  const byTask = new Map<string, [Unserved, ...Unserved[]]>();
  for (const each of all) {
    const others = byTask.get(`${each.queue} ${each.task}`);
    if (others) others.push(each);
    else byTask.set(`${each.queue} ${each.task}`, [each]);
  }
  return [...byTask.values()].map((schedules) => {
    const [{ name, task, queue }, ...others] = schedules;
    const more = others.length > 0 ? ` and ${others.length} more` : '';
    const message = `schedule "${name}"${more}: no live process runs task "${task}" in queue "${queue}"`;
    return { name, task, queue, count: schedules.length, message };
  });
}
