import { Injectable } from '@nestjs/common';
import { INTERNAL_QUEUE, NODE_ATTEMPTS } from '../canvas/canvas-part.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import { DECIDED_BACKOFF } from '../retry/decided-backoff.js';
import { alarmPattern } from './alarm-pattern.js';
import type { ScheduleSpec } from './schedule-record.js';

/** Of the jobs that BullMQ's schedulers make: they only say that it is time to look. @internal */
export const ALARM_TASK = 'nestjs-jobs.alarm';
/** BullMQ's: before all else in the library's own queue. */
const ALARM_PRIORITY = 1;

/** Sets BullMQ's job schedulers, which are the alarm clocks of schedules. @internal */
@Injectable()
export class ScheduleClock {
  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
  ) {}

  async arm(name: string, { timing, start, end }: ScheduleSpec): Promise<void> {
    const pattern = alarmPattern(timing, { start, end });
    const opts = {
      priority: ALARM_PRIORITY,
      attempts: NODE_ATTEMPTS,
      backoff: { type: DECIDED_BACKOFF },
      removeOnComplete: true,
      removeOnFail: true,
    };
    const template = { name: ALARM_TASK, data: { a: name }, opts };
    await this.client.reach(() => this.queues.get(INTERNAL_QUEUE).upsertJobScheduler(name, { pattern }, template));
  }

  async disarm(name: string): Promise<void> {
    await this.client.reach(() => this.queues.get(INTERNAL_QUEUE).removeJobScheduler(name));
  }

  /** Whether its next alarm is set, by its times as they are now, for one that has not passed by `late` ms. */
  async isSet(name: string, { timing, start, end }: ScheduleSpec, late: number): Promise<boolean> {
    const scheduler = await this.client.reach(() => this.queues.get(INTERNAL_QUEUE).getJobScheduler(name));
    // Who changes a schedule may die, or be overtaken by another one, before the alarm is the schedule's.
    if (scheduler?.pattern !== alarmPattern(timing, { start, end })) return false;
    return scheduler.next !== undefined && scheduler.next > Date.now() - late;
  }
}
