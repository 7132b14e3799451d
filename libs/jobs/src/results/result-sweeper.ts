import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import { FleetChore } from '../backend/fleet-chore.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { JobReader } from '../client/job-reader.js';
import { queueOfJobId } from '../client/job-id.js';
import { unpackResult } from '../client/stored-result.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { readResultKey } from './result-reference.js';
import type { ResultStore } from './result-store.js';
import { StoredResults } from './stored-results.js';

const COLLECTION = 'sweeps';
/** Milliseconds. Nothing depends on it but how long the store holds what nobody can read any more. */
const LONGEST_INTERVAL = 5 * 60_000;
const SHORTEST_INTERVAL = 1_000;
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
  private readonly chore: FleetChore | undefined;
  private warnedOf: string | undefined;

  constructor(
    private readonly results: StoredResults,
    private readonly reader: JobReader,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    if (options.workedQueues.size === 0 || !results.isOn) return;
    const settings = {
      collection: COLLECTION,
      key: results.claim,
      interval: Math.min(LONGEST_INTERVAL, Math.max(SHORTEST_INTERVAL, options.keepFor / 10)),
      onFailure: (error: Error) => this.logger.debug(`No results swept: ${error.message}`),
    };
    this.chore = new FleetChore(backend, settings, () => this.sweep());
  }

  onApplicationBootstrap(): void {
    this.chore?.start();
    this.chore?.begin();
  }

  async onModuleDestroy(): Promise<void> {
    await this.chore?.stop(this.options.connectTimeout);
  }

  /** Answers how many were removed. */
  async sweep(): Promise<number> {
    const store = await this.results.own();
    let removed = 0;
    let cursor: string | undefined;
    do {
      const page = await this.list(store, cursor);
      for (let n = 0; n < page.results.length && !this.chore?.isStopped; n += TOGETHER) {
        const keys = page.results.slice(n, n + TOGETHER).map(({ key }) => key);
        const useless = await Promise.all(keys.map((key) => this.isUseless(key)));
        const leaving = keys.filter((_, place) => useless[place]);
        if (leaving.length > 0) removed += await this.remove(store, leaving);
      }
      ({ cursor } = page);
    } while (cursor !== undefined && !this.chore?.isStopped);
    return removed;
  }

  private async list(store: ResultStore, cursor: string | undefined): ReturnType<ResultStore['list']> {
    try {
      return await store.list(cursor);
    } catch (error) {
      this.warn(error);
      throw error;
    }
  }

  private async isUseless(key: string): Promise<boolean> {
    const owner = readResultKey(key);
    // Nothing of ours.
    if (!owner || queueOfJobId(owner.jobId) !== owner.queue) return false;
    if (owner.until !== undefined && owner.until > Date.now()) return false;
    const found = await this.reader.findUnexpired(owner.queue, owner.jobId);
    if (found?.state === 'completed') {
      const { elsewhere } = unpackResult(found.job.returnvalue);
      return elsewhere === undefined || !elsewhere.reference.ref.endsWith(`/${key}`);
    }
    if (found) return found.state === 'failed';
    return owner.parentId === undefined || !(await this.isKept(owner.parentId));
  }

  /** The results of a group refer to those of its members, and what has failed may be redriven. */
  private async isKept(id: string): Promise<boolean> {
    const queue = queueOfJobId(id);
    return queue !== undefined && (await this.reader.findUnexpired(queue, id)) !== undefined;
  }

  /** One that cannot be removed must not keep the others. */
  private async remove(store: ResultStore, keys: readonly string[]): Promise<number> {
    try {
      await store.remove(keys);
      return keys.length;
    } catch {
      const removing = await Promise.allSettled(keys.map((key) => store.remove([key])));
      const failed = removing.find((each) => each.status === 'rejected');
      if (failed) this.warn(failed.reason);
      return removing.filter(({ status }) => status === 'fulfilled').length;
    }
  }

  /** Once: it stays so until somebody does something. */
  private warn(reason: unknown): void {
    const message = reason instanceof Error ? reason.message : String(reason);
    if (message === this.warnedOf || this.chore?.isStopped || this.backend.isConnectionError(reason)) return;
    this.warnedOf = message;
    this.logger.warn(`Results that are not kept any more cannot be removed from results.store: ${message}`);
  }
}
