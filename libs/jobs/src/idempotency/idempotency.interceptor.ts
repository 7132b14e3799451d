import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { of, type Observable } from 'rxjs';
import type { TaskPolicy } from '../execution/policies-first.js';
import { Enforces, policyOf } from '../task/method-policies.js';
import { IdempotentJobs } from './idempotent-jobs.js';
import type { ResolvedIdempotent } from './idempotent-options.js';
import { IdempotentRequests } from './idempotent-requests.js';

/**
 * Does what {@link Idempotent} says, for tasks and for HTTP handlers. The decorator brings it along.
 *
 * @publicApi
 */
@Injectable()
@Enforces('idempotency')
export class IdempotencyInterceptor implements NestInterceptor {
  /** @internal */
  constructor(
    private readonly jobs: IdempotentJobs,
    private readonly requests: IdempotentRequests,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const [options] = policyOf<ResolvedIdempotent>('idempotency', context.getHandler());
    return options ? of(await this.requests.once(options, context, next)) : next.handle();
  }

  /** @internal */
  forTask(handler: object): TaskPolicy | undefined {
    const [options] = policyOf<ResolvedIdempotent>('idempotency', handler);
    return options && ((job, payload, next) => this.jobs.once(options, job, payload, next));
  }
}
