import type { Type } from '@nestjs/common';
import type { PolicyInterceptor } from '../execution/policies-first.js';
import { declarePolicy, type PolicyDecorator } from '../task/method-policies.js';
import { IdempotencyInterceptor } from './idempotency.interceptor.js';
import { resolveIdempotent, type IdempotentOptions } from './idempotent-options.js';

/**
 * Keeps a task, or an HTTP handler, from doing the same thing twice. The result of the first call with a key that succeeds
 * is kept, and whoever comes with the key later gets it without running: a job ends as succeeded, with the result and
 * `deduplicatedBy` in its status. What comes while the first one runs waits for it, and takes no slot meanwhile.
 *
 * Nothing is kept of a failure: the next one runs. When a process dies, its claim on the key ends with its lease, and the
 * same job, run again, has it at once; a claim is renewed as long as its process lives, and nobody takes it away. Still, a
 * process may die, or be frozen, after an effect and before its result is kept. For effects in other services hand on
 * `job.idempotencyKey`, which is the same then.
 *
 * A key that comes with another payload is refused with {@link IdempotencyMismatchError}; of the payload a hash is kept.
 *
 * Its place is fixed, wherever the decorator stands: after guards, `@RateLimited` and `@Locked`, before other interceptors
 * and pipes. A result must be JSON; of a request, its status code is kept too, and headers are not. An answer made with
 * `accepted(job)` is that job's each time, with its headers.
 *
 * The idea is the Idempotency-Key header of the IETF's draft, as Stripe has it.
 *
 * @throws {@link InvalidArgumentError} for options that are none, and {@link InvalidTaskError} for a second one on a
 * method, both when the class is defined; on a method that is neither a task nor an HTTP handler the app does not boot.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { Idempotent, type JobContext, Task } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Payments {
 *   @Task({ name: 'payments.charge' })
 *   @Idempotent({ key: ({ orderId }) => orderId, ttl: '7d' })
 *   async charge({ orderId, cents }: { orderId: string; cents: number }, job: JobContext): Promise<{ status: number }> {
 *     const answer = await fetch('https://payments.example/charges', {
 *       method: 'POST',
 *       headers: { 'idempotency-key': job.idempotencyKey },
 *       body: JSON.stringify({ orderId, cents }),
 *     });
 *     return { status: answer.status };
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function Idempotent<Method extends (...args: never[]) => unknown>(
  options: IdempotentOptions<Parameters<Method>[0]>,
): PolicyDecorator<Method> {
  const read = (name: string): object => resolveIdempotent(options, name);
  return declarePolicy(
    'idempotency',
    IdempotencyInterceptor satisfies Type<PolicyInterceptor>,
    read,
  ) as PolicyDecorator<Method>;
}
