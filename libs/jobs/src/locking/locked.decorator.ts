import type { Type } from '@nestjs/common';
import type { PolicyInterceptor } from '../execution/policies-first.js';
import { declarePolicy, type PolicyDecorator } from '../task/method-policies.js';
import { resolveLocked, type LockedOptions } from './lock-options.js';
import { LockInterceptor } from './lock.interceptor.js';

/**
 * Runs a task, or an HTTP handler, only while it holds a lock. A job that has to wait takes no slot and spends no attempt:
 * it is woken when it is its turn, in the order in which the jobs came. The lock is renewed while the method runs, given
 * up when it ends, however it does, and free after its `ttl` when the process dies.
 *
 * A lock is a lease. When it is lost, because the process was frozen or cut off, `job.signal` is aborted with
 * {@link LockLostError}; what such a process may still write is refused only by a resource that checks
 * `job.lock.fencingToken`, see {@link HeldLock.fencingToken}.
 *
 * Its place is fixed, wherever the decorator stands: after guards and `@RateLimited`, before `@Idempotent`, other
 * interceptors (of HTTP handlers those of the method) and pipes. `LockInterceptor` does it; Nest knows it from here.
 *
 * The idea is the unique and concurrency limits of Oban Pro and Sidekiq Enterprise, with Chubby's sequencer.
 *
 * @throws {@link InvalidArgumentError} for options that are none, and {@link InvalidTaskError} for a second one on a
 * method, both when the class is defined; on a method that is neither a task nor an HTTP handler the app does not boot.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { type JobContext, Locked, Task } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Accounts {
 *   @Task({ name: 'accounts.close-month' })
 *   @Locked({ key: ({ account }) => `account/${account}`, ttl: '1m' })
 *   async closeMonth({ account }: { account: string }, job: JobContext): Promise<void> {
 *     await fetch(`https://ledger.example/${account}/close`, {
 *       method: 'POST',
 *       headers: { 'fencing-token': String(job.lock!.fencingToken) },
 *       signal: job.signal,
 *     });
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function Locked<Method extends (...args: never[]) => unknown>(
  options: LockedOptions<Parameters<Method>[0]>,
): PolicyDecorator<Method> {
  return declarePolicy('lock', LockInterceptor satisfies Type<PolicyInterceptor>, (name) =>
    resolveLocked(options, name),
  ) as PolicyDecorator<Method>;
}
