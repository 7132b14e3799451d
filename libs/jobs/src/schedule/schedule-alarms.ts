import { Injectable } from '@nestjs/common';
import type { StoredJob } from '../client/envelope.js';
import type { Tell } from '../client/tell.js';
import type { AttemptOutcome } from '../execution/attempt-outcome.js';
import { runOwnWork } from '../execution/own-work.js';
import { ScheduleClock } from './schedule-clock.js';
import { ScheduleFires } from './schedule-fires.js';

/** Does the jobs of BullMQ's schedulers. @internal */
@Injectable()
export class ScheduleAlarms {
  constructor(
    private readonly fires: ScheduleFires,
    private readonly clock: ScheduleClock,
  ) {}

  run(job: StoredJob, tell: Tell): Promise<AttemptOutcome> {
    return runOwnWork(job, tell, async () => {
      const name = job.data.a!;
      // What was deleted, paused or has ended may have left its alarm behind.
      if ((await this.fires.fire(name)).kind === 'over') await this.clock.disarm(name);
      return { kind: 'succeeded', result: null };
    });
  }
}
