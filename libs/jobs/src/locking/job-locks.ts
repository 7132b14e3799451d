import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { Holding, Line, TakeOptions, Waiting } from '../backend/lines.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { JobsClient } from '../client/jobs-client.js';
import { CodeWaiters } from '../parking/code-waiters.js';
import { Parking } from '../parking/parking.js';
import { HeldLock } from './held-lock.js';
import { LockBusyError } from './lock.errors.js';
import { requireLockKey, resolveLockOptions, type LockOptions, type ResolvedLockOptions } from './lock-options.js';

/** How long (ms) code that waits does not ask whether it is its turn, at least. */
const SOONEST_LOOK = 20;

/**
 * Locks and semaphores for the whole fleet, for any code: what runs under one runs nowhere else meanwhile.
 *
 * The same as `jobs.locks`. A lock is a lease: see {@link HeldLock.fencingToken} for what that means.
 *
 * @publicApi
 */
@Injectable()
export class JobLocks {
  private readonly logger = new Logger('Jobs');

  /** @internal */
  constructor(
    private readonly client: JobsClient,
    private readonly parking: Parking,
    private readonly code: CodeWaiters,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  /**
   * Runs `work` while it holds the lock, and gives the lock up when that has ended, however it did. Whoever waits gets it in
   * the order in which they came; while it waits, this process listens for its call, and asks the store every two seconds. A lock is not reentrant: work
   * that takes the same one again waits for itself.
   *
   * When the lock is lost while `work` runs, `lock.signal` is aborted; what `work` returns is returned all the same.
   *
   * The idea is Chubby's lease with a sequencer; the interface that of Redlock's `using`.
   *
   * @param key - 1 to 500 characters.
   * @throws {@link LockBusyError} when `maxWait` is over; {@link InvalidArgumentError}; {@link BackendUnavailableError};
   * the reason of `options.signal`; and what `work` throws.
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { JobsService } from 'nestjs-jobs';
   *
   * @Injectable()
   * export class Stock {
   *   constructor(private readonly jobs: JobsService) {}
   *
   *   async reserve(article: string): Promise<void> {
   *     await this.jobs.locks.withLock(`stock/${article}`, { ttl: '30s', maxWait: '10s' }, async (lock) => {
   *       await fetch(`https://stock.example/${article}/reservations`, {
   *         method: 'POST',
   *         headers: { 'fencing-token': String(lock.fencingToken) },
   *         signal: lock.signal,
   *       });
   *     });
   *   }
   * }
   * ```
   */
  async withLock<T>(key: string, options: LockOptions, work: (lock: HeldLock) => T | Promise<T>): Promise<T> {
    const resolved = resolveLockOptions(options);
    const lock = await this.take(requireLockKey(key), resolved);
    try {
      return await work(lock);
    } finally {
      await this.free(lock);
    }
  }

  private async take(key: string, options: ResolvedLockOptions): Promise<HeldLock> {
    const { ttl, limit, maxWait, signal } = options;
    const line = this.parking.line(lineOfLock(key), limit);
    const { lines } = this.backend;
    const waiter = this.code.enter();
    const { id } = waiter;
    const deadline = maxWait === undefined ? Infinity : performance.now() + maxWait;
    let stands = false;
    try {
      for (let turn: number | undefined; ;) {
        signal?.throwIfAborted();
        const askedAt = performance.now();
        stands = true;
        const taken = await this.ask(line, id, { ttl, stand: true, ...(turn !== undefined && { turn }) });
        if (taken.kind === 'holds') {
          // The answer took so long that another one may have it.
          if (performance.now() - askedAt >= ttl) continue;
          stands = false;
          return new HeldLock(key, taken.fencingToken, { lines, line, id, ttl, askedAt });
        }
        ({ turn } = taken);
        const left = deadline - performance.now();
        if (left <= 0) throw new LockBusyError(key, maxWait!);
        const lookAgain = this.code.listen();
        // Not longer than until a place of a dead one is free.
        const freeIn = Math.max(taken.freeIn + 1, SOONEST_LOOK);
        await waiter.untilCalled(Math.ceil(Math.min(freeIn, lookAgain, left)), signal);
      }
    } finally {
      this.code.leave(waiter);
      if (stands) await this.leave(line, id);
    }
  }

  private async ask(line: Line, id: string, options: TakeOptions): Promise<Holding | Waiting> {
    const { lines } = this.backend;
    let asked: Promise<Holding | Waiting> | undefined;
    try {
      const taken = await this.client.reach(() => (asked = lines.take(line, id, options)));
      void this.parking.wake(taken.wake);
      return taken;
    } catch (error) {
      // When the answer comes after all, it may be that the place is ours.
      void asked?.then(
        async ({ wake }) => {
          await this.parking.wake(wake);
          await this.leave(line, id);
        },
        () => undefined,
      );
      throw error;
    }
  }

  private async free(lock: HeldLock): Promise<void> {
    lock.letGo();
    try {
      // Also when the answer comes too late for whoever waits here.
      await this.client.reach(async () => this.parking.wake(await lock.free()));
    } catch (error) {
      // Others have it when its ttl is over.
      this.logger.debug(`Could not give up the lock "${lock.key}": ${(error as Error).message}`);
    }
  }

  private async leave(line: Line, id: string): Promise<void> {
    try {
      // With a place that it may have been given in an answer which was lost: the id is of this one call.
      await this.client.reach(async () => this.parking.wake(await this.backend.lines.leave(line, id, true)));
    } catch (error) {
      this.logger.debug(`Could not leave the line ${line.name}: ${(error as Error).message}`);
    }
  }
}

/** Of all lines, those of locks. */
function lineOfLock(key: string): string {
  return `lock:${key}`;
}
