import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Locked, Task, type JobContext } from '../../libs/jobs/src/index.js';
import { goesOn, PLENTY_OF_ATTEMPTS } from './chaos-tasks.js';
import { FencedResource } from './fenced-resource.js';
import { LedgerFile, type FencedRun } from './ledger.js';

export interface WriteOrder {
  readonly key: string;
  /** Of the resource. */
  readonly url: string;
  /**
   * `freezes`: in its first run, it does not write before it is told to, which is when its process was frozen meanwhile.
   * `stays`: has the lock until it is told to go on, as the further runs of `freezes` do. `passes`: has it for a moment.
   */
  readonly does: 'freezes' | 'stays' | 'passes';
}

export interface WriteResult {
  readonly token: number;
  readonly accepted: boolean;
}

/** Milliseconds. A lock of so long is lost by whoever is frozen for longer. */
export const TTL = 1_000;
const MOMENT = 50;
/** Milliseconds until a signal that is not aborted counts as one that never is. */
const TIME_TO_ABORT = 10_000;

/** Writes to what checks fencing tokens, once in each run. */
@Injectable()
export class FencedTasks {
  constructor(private readonly ledger: LedgerFile) {}

  @Task({ name: 'chaos.write', retry: { attempts: PLENTY_OF_ATTEMPTS, delay: 1, maxDelay: 10 } })
  @Locked({ key: ({ key }) => key, ttl: TTL })
  async write({ key, url, does }: WriteOrder, job: JobContext): Promise<WriteResult> {
    const { id, attempt } = job;
    const token = job.lock!.fencingToken;
    const run: FencedRun = { id, attempt, key, token };
    const isLate = does === 'freezes' && attempt === 1;
    const goesOnThen = does === 'passes' ? pause(MOMENT) : goesOn(id);
    this.ledger.append({ what: 'locked', ...run });
    if (isLate) await goesOnThen;
    try {
      const accepted = await FencedResource.write(url, run);
      if (isLate) this.ledger.append({ what: 'aborted', reason: await reasonOf(job.signal), ...run });
      else if (!accepted) throw new Error('the resource has seen a larger token');
      else await goesOnThen;
      return { token, accepted };
    } finally {
      this.ledger.append({ what: 'left', ...run });
    }
  }
}

async function reasonOf(signal: AbortSignal): Promise<string> {
  if (!signal.aborted) await Promise.race([once(signal, 'abort'), pause(TIME_TO_ABORT)]);
  return signal.aborted ? (signal.reason as Error).name : 'not aborted';
}
