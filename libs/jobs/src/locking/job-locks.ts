import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { Holding } from '../backend/lines.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { CodeInLine } from '../parking/code-in-line.js';
import { Parking } from '../parking/parking.js';
import { HeldPlace } from '../parking/held-place.js';
import { HeldLock } from './held-lock.js';
import { LockBusyError } from './lock.errors.js';
import { requireLockKey, resolveLockOptions, type LockOptions, type ResolvedLockOptions } from './lock-options.js';

/**
 * Locks and semaphores for the whole fleet, for any code: what runs under one runs nowhere else meanwhile.
 *
 * The same as `jobs.locks`. A lock is a lease: see {@link HeldLock.fencingToken} for what that means.
 *
 * @publicApi
 */
@Injectable()
export class JobLocks {
  /** @internal */
  constructor(
    private readonly inLine: CodeInLine,
    private readonly parking: Parking,
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
    const place = await this.take(requireLockKey(key), resolved);
    try {
      return await work(new HeldLock(key, place));
    } finally {
      await this.free(place);
    }
  }

  /** @throws {LockBusyError} @internal */
  async take(key: string, { limit, ...waits }: ResolvedLockOptions): Promise<HeldPlace> {
    const line = this.parking.line(lineOfLock(key), limit);
    const { lines } = this.backend;
    const taken = await this.inLine.untilAnswered<Holding>(line, waits, (id, how) => lines.take(line, id, how));
    if (!taken) throw new LockBusyError(key, waits.maxWait!);
    const { answer, id, askedAt } = taken;
    return new HeldPlace({ lines, line, id, fencingToken: answer.fencingToken, ttl: waits.ttl, askedAt });
  }

  /** @internal */
  free(place: HeldPlace): Promise<void> {
    return this.inLine.free(place);
  }
}

/** Of all lines, those of locks. @internal */
export function lineOfLock(key: string): string {
  return `lock:${key}`;
}
