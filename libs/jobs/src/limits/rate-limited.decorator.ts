import type { Type } from '@nestjs/common';
import type { PolicyInterceptor } from '../execution/policies-first.js';
import { declarePolicy, type PolicyDecorator } from '../task/method-policies.js';
import { RateLimitInterceptor } from './rate-limit.interceptor.js';
import { resolveRateLimited, type RateLimitedOptions } from './rate-limited-options.js';

/**
 * Runs a task, or an HTTP handler, no more often than a limit allows, in the whole fleet. A job that comes too early
 * reserves its time, steps out of its slot and is run then, in the order in which the jobs came; no attempt is spent. A
 * request is answered 429 at once, with `Retry-After`. Each attempt counts, since each calls whatever is to be spared.
 *
 * A limit is one for all, or each `key` has its own. Where a method has several, all must let it through, the uppermost
 * first. For a whole queue there is `queues.<name>.rateLimit` of the module's options. Limits are read and changed at run
 * time with `jobs.limits`.
 *
 * A task that was refused all the same, as with a 429, throws {@link RetryLater} with `pauseKey: true`: nobody with its
 * key is let through until then.
 *
 * Its place is fixed, wherever the decorator stands: after guards, before `@Locked`, `@Idempotent`, other interceptors and
 * pipes.
 *
 * The idea is Celery's `rate_limit`, for the fleet and with keys, as Sidekiq Enterprise has it.
 *
 * @throws {@link InvalidArgumentError} for options that are none, when the class is defined; {@link InvalidTaskError} when
 * the app boots with two rules for one name, or on a method that is neither a task nor an HTTP handler.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { RateLimited, RetryLater, Task } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Crm {
 *   @Task({ name: 'crm.sync' })
 *   @RateLimited({ limit: '100/m', burst: 10, key: ({ tenant }) => tenant, name: 'crm-api' })
 *   async sync({ tenant, id }: { tenant: string; id: string }): Promise<unknown> {
 *     const answer = await fetch(`https://crm.example/${tenant}/contacts/${id}`);
 *     if (answer.status === 429) throw new RetryLater('30s', { pauseKey: true });
 *     return answer.json();
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function RateLimited<Method extends (...args: never[]) => unknown>(
  options: RateLimitedOptions<Parameters<Method>[0]>,
): PolicyDecorator<Method> {
  const read = (name: string): object => resolveRateLimited(options, name);
  return declarePolicy(
    'limit',
    RateLimitInterceptor satisfies Type<PolicyInterceptor>,
    read,
  ) as PolicyDecorator<Method>;
}
