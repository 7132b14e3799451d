import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { JobReader } from '../client/job-reader.js';
import { queueOfJobId } from '../client/job-id.js';
import { unpackResult } from '../client/stored-result.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { readResultKey } from './result-reference.js';
import { StoredResults } from './stored-results.js';

const COLLECTION = 'sweeps';
const CLAIM_KEY = 'results';
/** Milliseconds. Nothing depends on it but how long the store holds what nobody can read any more. */
const LONGEST_INTERVAL = 5 * 60_000;
const SHORTEST_INTERVAL = 1_000;
/** Of the interval: less than all of it, or the claim of one sweep would still stand at the next. */
const CLAIM = 0.9;
/** Jobs that are looked at together. */
const TOGETHER = 50;

/**
 * Removes results whose job is not kept any more, and those that no job refers to: an attempt that died or was overtaken
 * left them. Any process with workers does it, one of the fleet in each interval; two at a time do no harm.
 *
 * A result is written before its job ends, so what belongs to a job that has not ended is left alone, and no time has to be
 * waited for: whatever is gone was of no use, or is so for ever.
 *
 * @internal
 */
@Injectable()
export class ResultSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Jobs');
  private readonly interval: number;
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<unknown> = Promise.resolve();
  private isStopped = false;

  constructor(
    private readonly results: StoredResults,
    private readonly reader: JobReader,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.interval = Math.min(LONGEST_INTERVAL, Math.max(SHORTEST_INTERVAL, options.keepFor / 10));
  }

  onApplicationBootstrap(): void {
    if (this.options.workedQueues.size === 0 || !this.results.isOn) return;
    let isBusy = false;
    const sweep = (): void => {
      if (isBusy) return;
      isBusy = true;
      this.sweeping = this.sweepInTurn()
        // The next sweep makes up for this one.
        .catch((error: Error) => this.logger.debug(`No results swept: ${error.message}`))
        .finally(() => (isBusy = false));
    };
    this.timer = setInterval(sweep, this.interval).unref();
    sweep();
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await settlesWithin(this.options.connectTimeout, this.sweeping);
  }

  private async sweepInTurn(): Promise<void> {
    await this.backend.whenReady(this.interval);
    const { ledger } = this.backend;
    if (await ledger.putIfAbsent(COLLECTION, CLAIM_KEY, process.pid, this.interval * CLAIM)) return;
    await this.sweep();
  }

  /** Answers how many were removed. */
  async sweep(): Promise<number> {
    const store = await this.results.own();
    let removed = 0;
    let cursor: string | undefined;
    do {
      const page = await store.list(cursor);
      for (let n = 0; n < page.results.length && !this.isStopped; n += TOGETHER) {
        const keys = page.results.slice(n, n + TOGETHER).map(({ key }) => key);
        const useless = await Promise.all(keys.map((key) => this.isUseless(key)));
        const leaving = keys.filter((_, place) => useless[place]);
        if (leaving.length > 0) await store.remove(leaving);
        removed += leaving.length;
      }
      ({ cursor } = page);
    } while (cursor !== undefined && !this.isStopped);
    return removed;
  }

  private async isUseless(key: string): Promise<boolean> {
    const owner = readResultKey(key);
    // Nothing of ours.
    if (!owner || queueOfJobId(owner.jobId) !== owner.queue) return false;
    if (owner.until !== undefined && owner.until > Date.now()) return false;
    const found = await this.reader.findUnexpired(owner.queue, owner.jobId);
    if (found && found.state !== 'failed' && found.state !== 'completed') return false;
    const kept = found?.state === 'completed' ? unpackResult(found.job.returnvalue).elsewhere : undefined;
    if (kept?.reference.ref.endsWith(`/${key}`)) return false;
    return owner.parentId === undefined || !(await this.isWaiting(owner.parentId));
  }

  /** Whether a job may still take the results of those that it waits for. */
  private async isWaiting(id: string): Promise<boolean> {
    const queue = queueOfJobId(id);
    const found = queue === undefined ? undefined : await this.reader.find(queue, id);
    return found !== undefined && found.state !== 'failed' && found.state !== 'completed';
  }
}
