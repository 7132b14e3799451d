import type { Duration } from '../options/jobs-options.js';

/**
 * At most one job with a key at a time.
 *
 * The key is that of a task in a queue: two tasks with the same key do not get in each other's way, and neither do jobs of
 * one task in two queues. Of many calls at the same time, in whatever processes, one makes the job. The others get a handle
 * of that one, with `created: false`; what its `status()` and `result()` say is said of the original.
 *
 * A job that fails for good, is cancelled, expires or is purged gives up its key, whatever `until` says. One that waits for
 * its next attempt, snoozes or is parked keeps it. The key says nothing of jobs that are enqueued without one.
 *
 * The idea is `unique` of Oban.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { DuplicateJobError, JobsService, Task, task } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Invoices {
 *   constructor(private readonly jobs: JobsService) {}
 *
 *   @Task()
 *   async close(payload: { month: string }): Promise<void> {
 *     console.log(payload.month);
 *   }
 *
 *   async request(month: string): Promise<string> {
 *     try {
 *       const unique = { key: month, onConflict: 'reject' } as const;
 *       return (await this.jobs.enqueue(task(Invoices, 'close'), { month }, { unique })).id;
 *     } catch (error) {
 *       if (error instanceof DuplicateJobError) return `${month} is being closed by ${error.jobId}`;
 *       throw error;
 *     }
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export interface UniqueOptions {
  /** What there is to be one job of: text of 1 to 500 characters. */
  key: string;
  /**
   * How long the key is taken.
   *
   * - `'finished'`: while the job waits, runs or waits for its next attempt.
   * - `'started'`: until its method begins for the first time. What was changed before `enqueue` was called is there when
   *   the job that the handle names begins, whether that is a new one or not. Costs one more round trip per run.
   * - A duration, as milliseconds or `'10m'`: from the enqueue on, also when the job has long succeeded. Once that is not
   *   kept any more (`results.keepFor`), its handle says so with {@link JobNotFoundError}.
   *
   * @default 'finished'
   */
  // Named although they are strings as any duration may be: whoever reads the type is to see them.
  // oxlint-disable-next-line typescript/no-redundant-type-constituents
  until?: 'started' | 'finished' | Duration;
  /**
   * What the call does when the key is taken.
   *
   * - `'return'`: nothing; it gives the handle of the job that has the key.
   * - `'replace'`: a job that has not begun gets the payload and all options of this call, keeps its id and its
   *   `createdAt`, and the handle is that job's, with `created: false`. Of a job that has begun nothing is changed: with
   *   `until: 'started'` its key is free, and this call makes a job; else the handle is that of the job that runs, and the
   *   payload of this call is dropped.
   * - `'reject'`: rejects with {@link DuplicateJobError}.
   *
   * @default 'return'
   */
  onConflict?: 'return' | 'replace' | 'reject';
}

/**
 * Puts a job off while calls with its key keep coming, and runs it once, with the payload and the options of the newest.
 * Each handle is that of the one job; `created` is true for the call that began the series. Once the method of that job
 * has begun, the next call begins another series: what the newest call says is never lost.
 *
 * The key is that of a task in a queue, as with {@link UniqueOptions}. A job whose time has come, and that still waits for
 * a worker or for a lock, gets the newest payload too, and is not put off any more.
 *
 * The idea is `debounce` of Lodash.
 *
 * @example
 * ```ts
 * import { JobsService, type TaskRef } from 'nestjs-jobs';
 *
 * export async function changed(jobs: JobsService, reindex: TaskRef<{ shop: string }, null>, shop: string): Promise<void> {
 *   await jobs.enqueue(reindex, { shop }, { debounce: { key: shop, wait: '5s', maxWait: '1m' } });
 * }
 * ```
 *
 * @publicApi
 */
export interface DebounceOptions {
  /** What calls belong together by: text of 1 to 500 characters. */
  key: string;
  /** How long after the last call the job runs: milliseconds or `'5s'`. */
  wait: Duration;
  /** How long after the first call it runs at the latest; at least `wait`. @default no limit */
  maxWait?: Duration;
}

/**
 * Runs the first of the calls with a key at once, and none of the others within `every`: they get the handle of the first,
 * with `created: false`. It is short for `unique: { key, until: every }`, with all that is said there.
 *
 * The idea is `throttle` of Lodash, without a last run at the end.
 *
 * @example
 * ```ts
 * import { JobsService, type TaskRef } from 'nestjs-jobs';
 *
 * export async function visited(jobs: JobsService, refresh: TaskRef<{ feed: string }, null>, feed: string): Promise<void> {
 *   await jobs.enqueue(refresh, { feed }, { throttle: { key: feed, every: '10m' } });
 * }
 * ```
 *
 * @publicApi
 */
export interface ThrottleOptions {
  /** What calls belong together by: text of 1 to 500 characters. */
  key: string;
  /** How long no other job is made: milliseconds or `'10m'`, counted from the enqueue of the first. */
  every: Duration;
}
