import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { StoredSchedule } from '../backend/schedule-store.js';
import { JobsClient } from '../client/jobs-client.js';
import { ScheduleNotFoundError } from './schedule.errors.js';
import { SCHEDULE_NAME } from './schedule-options.js';
import type { ScheduleRecord } from './schedule-record.js';
import { nextFire } from './next-fire.js';

/** Under whom those stand that are declared in code; no owner of the app's begins so. @internal */
export const IN_CODE = '#code';

/** @internal */
export interface FoundSchedule {
  readonly name: string;
  readonly version: number;
  readonly record: ScheduleRecord;
}

/** What is stored of schedules, read and written. @internal */
@Injectable()
export class ScheduleRecords {
  constructor(
    private readonly client: JobsClient,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  async read(name: string): Promise<FoundSchedule | undefined> {
    // Names come from requests, and there are texts that Postgres refuses.
    if (!SCHEDULE_NAME.test(name)) return undefined;
    const stored = await this.client.reach(() => this.backend.schedules.read(name));
    return stored && found(stored);
  }

  /** False when somebody else has written it since it had that version. */
  write(name: string, version: number, record: ScheduleRecord): Promise<boolean> {
    const owner = record.by === 'code' ? IN_CODE : record.spec.owner;
    const index = { next: nextFire(record), owner };
    return this.client.reach(() => this.backend.schedules.write(name, version, JSON.stringify(record), index));
  }

  /** Changes it, again when somebody else was faster. @throws {@link ScheduleNotFoundError} */
  async change(name: string, how: (record: ScheduleRecord) => ScheduleRecord): Promise<ScheduleRecord> {
    for (;;) {
      const stored = await this.read(name);
      if (!stored) throw new ScheduleNotFoundError(name);
      const changed = how(stored.record);
      if (changed === stored.record || (await this.write(name, stored.version, changed))) return changed;
    }
  }

  remove(name: string, version?: number): Promise<boolean> {
    return this.client.reach(() => this.backend.schedules.remove(name, version));
  }

  async list(options: { cursor?: string | undefined; limit: number; owner?: string | undefined }) {
    const { schedules, cursor } = await this.client.reach(() => this.backend.schedules.list(options));
    return { schedules: schedules.map(found), cursor };
  }

  overdue(before: number, limit: number): Promise<string[]> {
    return this.client.reach(() => this.backend.schedules.overdue(before, limit));
  }
}

function found({ name, version, body }: StoredSchedule): FoundSchedule {
  return { name, version, record: JSON.parse(body) as ScheduleRecord };
}
