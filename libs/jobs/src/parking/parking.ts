import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DelayedError } from 'bullmq';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { Line, Waiting } from '../backend/lines.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import {
  attemptNumber,
  hasBegun,
  progressOf,
  saidOfAttempt,
  type ProgressRecord,
  type StoredJob,
} from '../client/envelope.js';
import { queueOfJobId } from '../client/job-id.js';
import { takePrecedence } from '../client/precedence.js';
import { Queues } from '../client/queues.js';
import { isLossOfJob, REFUSED_FOR, type Tell } from '../client/tell.js';
import type { ParkedAttempt } from '../execution/attempt-outcome.js';
import type { HeldPlace } from './held-place.js';
import { CodeWaiters } from './code-waiters.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';

/** How long (ms) a job is parked at most before it looks again, however many wait before it. */
const LONGEST_PARK = 3_600_000;
/** After a try that failed (ms). */
const TRY_AGAIN = 500;

/**
 * Has jobs wait outside of their slots, in lines that the store keeps, and wakes them in turn.
 *
 * Nobody can wake a job that is not parked yet. So it stands in line first, is parked then, and looks once more whether it
 * was called meanwhile. Where a process dies in between, the job comes back by itself when the place that it waits for
 * should be free.
 *
 * @internal
 */
@Injectable()
export class Parking {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly queues: Queues,
    private readonly waitingCode: CodeWaiters,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** A place is kept for a job that was called as long as a worker that has died can have it. */
  line(name: string, places: number): Line {
    return { name, places, patience: this.options.lease };
  }

  /** When (ms since the epoch) a job in a line looks again, unless it is woken: one after the other, since each wakes the next. */
  lookAgainAt({ ahead, freeIn }: Waiting, { places, patience }: Line): number {
    const turns = Math.floor(ahead / places);
    return Date.now() + Math.min(freeIn + 1 + turns * patience, LONGEST_PARK);
  }

  /** Takes the job out of its slot. No attempt is spent. */
  async park(
    job: StoredJob,
    token: string,
    { waits, until, isCalled, passed }: ParkedAttempt,
    tell: Tell,
  ): Promise<never> {
    const said = saidOfAttempt(job);
    if (!isDeepStrictEqual(said?.waits, waits)) {
      const record: ProgressRecord = {
        ...said,
        attempt: attemptNumber(job),
        waits,
        ...(hasBegun(job) && { begun: true }),
        ...(passed && passed.length > 0 && { passed }),
      };
      // Before the move: nobody may see the job wait without saying for what.
      await tell(() => job.updateProgress(record), REFUSED_FOR);
    }
    // At its time, those who have not even asked for one yet must not hold it up.
    if (waits.reserved) await tell(() => takePrecedence(job), REFUSED_FOR);
    try {
      await tell(() => job.moveToDelayed(until, token), REFUSED_FOR);
    } catch (error) {
      // It may have been parked by a call whose answer was lost.
      if (isCalled && isLossOfJob(error)) await this.lookOnceMore(job.id!, isCalled);
      throw error;
    }
    if (isCalled) await this.lookOnceMore(job.id!, isCalled);
    throw new DelayedError();
  }

  /** Brings parked jobs to workers, in this order, and calls code that waits. Who cannot be woken comes by itself, later. */
  async wake(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const code: string[] = [];
    const jobs = new Map<string, string[]>();
    for (const id of ids) {
      const queue = queueOfJobId(id);
      if (queue === undefined) code.push(id);
      else jobs.set(queue, [...(jobs.get(queue) ?? []), id]);
    }
    if (code.length > 0) await this.waitingCode.call(code);
    for (const [queue, together] of jobs) {
      const wake = (): Promise<void> => this.backend.wake(this.queues.get(queue), together);
      // For as long as they are called; after that they come by themselves, later.
      await this.insist(wake, this.options.lease, `wake ${together.join(', ')}`);
    }
  }

  /** Gives up what a job has held, and brings the next ones. */
  async free(place: HeldPlace): Promise<void> {
    place.letGo();
    const free = async (): Promise<void> => {
      const next = await place.free();
      if (next.length > 0) await this.wake(next);
    };
    // Others have it when its ttl is over.
    await this.insist(free, place.ttl, `give up ${place.line.name}`);
  }

  /** Of a job that ends without having run: whoever waits behind it moves up, in a line or for a limit. */
  async leave(job: StoredJob): Promise<void> {
    const { line, reserved } = progressOf(job)?.waits ?? {};
    try {
      if (line) await this.wake(await this.backend.lines.leave(this.line(line.name, line.places), job.id!));
      if (reserved) await this.backend.limits.giveBack(reserved, reserved.rule, reserved.cost, reserved);
    } catch (error) {
      this.logger.debug(`Could not take job ${job.id} out of its line: ${(error as Error).message}`);
    }
  }

  private lookOnceMore(jobId: string, isCalled: () => Promise<boolean>): Promise<void> {
    const look = async (): Promise<void> => {
      if (await isCalled()) await this.wake([jobId]);
    };
    return this.insist(look, this.options.lease, `look whether job ${jobId} was called`);
  }

  /** Waits for the first try only. Whoever waits for it to succeed has a timer that is set to the worst. */
  private async insist(work: () => Promise<void>, time: number, what: string): Promise<void> {
    const end = performance.now() + time;
    try {
      await work();
    } catch (error) {
      this.logger.debug(`Could not ${what}, and try again: ${(error as Error).message}`);
      void this.tryAgain(work, end);
    }
  }

  private async tryAgain(work: () => Promise<void>, end: number): Promise<void> {
    while (performance.now() < end) {
      await pause(TRY_AGAIN, undefined, { ref: false });
      try {
        return await work();
      } catch {
        // Until the time is over.
      }
    }
  }
}
