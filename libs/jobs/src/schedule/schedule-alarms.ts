import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { StoredJob } from '../client/envelope.js';
import type { Tell } from '../client/tell.js';
import type { AttemptOutcome } from '../execution/attempt-outcome.js';
import { runOwnWork } from '../execution/own-work.js';
import { ScheduleClock } from './schedule-clock.js';
import { ScheduleFires } from './schedule-fires.js';

/** Milliseconds by which the clocks of two processes differ at most, as a rule. */
const EARLY = 500;

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
      let fired = await this.fires.fire(name);
      const early = fired.kind === 'armed' && !fired.hasSettled ? fired.next - Date.now() : Infinity;
      if (early <= EARLY) {
        // BullMQ lets it go by the clock of whichever process asks, and that of this one may be behind.
        await sleep(Math.max(1, early));
        fired = await this.fires.fire(name);
      }
      // What was deleted, paused or has ended may have left its alarm behind.
      if (fired.kind === 'over') await this.clock.disarm(name);
      else if (!fired.hasSettled && !(await this.clock.isSet(name, fired.spec, EARLY))) {
        await this.clock.arm(name, fired.spec);
      }
      return { kind: 'succeeded', result: null };
    });
  }
}
