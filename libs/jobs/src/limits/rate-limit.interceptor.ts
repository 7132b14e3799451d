import {
  HttpException,
  HttpStatus,
  Inject,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { JobsClient } from '../client/jobs-client.js';
import type { TaskPolicy } from '../execution/policies-first.js';
import { bodyOf, keyOfRequest, refuseRequest, requestSource } from '../execution/policy-key.js';
import { Enforces, nameOfHandler, policyOf } from '../task/method-policies.js';
import { JobLimits } from './job-limits.js';
import { costOf, type ResolvedRateLimited } from './rate-limited-options.js';

/** What Express's and Fastify's replies have in common. */
interface Reply {
  header?(name: string, value: string): unknown;
}

/**
 * Does what {@link RateLimited} says, for tasks and for HTTP handlers. The decorator brings it along.
 *
 * @publicApi
 */
@Injectable()
@Enforces('limit')
export class RateLimitInterceptor implements NestInterceptor {
  /** @internal */
  constructor(
    private readonly limits: JobLimits,
    private readonly client: JobsClient,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    for (const options of policyOf<ResolvedRateLimited>('limit', context.getHandler())) {
      await this.passRequest(options, context);
    }
    return next.handle();
  }

  /** @internal */
  forTask(handler: object): TaskPolicy | undefined {
    const limits = policyOf<ResolvedRateLimited>('limit', handler);
    return limits.length === 0 ? undefined : (job, payload, next) => this.limits.run(limits, job, payload, next);
  }

  private async passRequest(options: ResolvedRateLimited, context: ExecutionContext): Promise<void> {
    const { rule } = options;
    const name = options.name ?? nameOfHandler(context.getClass(), context.getHandler());
    const key = options.key ? keyOfRequest('@RateLimited', options.key, context) : '';
    const cost = costOf(options, bodyOf(context), requestSource(context), refuseRequest);
    const taken = await this.client.reach(() => this.backend.limits.take({ name, key }, rule, { cost, maxWait: 0 }));
    if (taken.kind === 'granted') return;
    const seconds = Math.ceil(taken.wait / 1_000);
    context.switchToHttp().getResponse<Reply>().header?.('Retry-After', String(seconds));
    throw new HttpException(`Too many requests. Try again in ${seconds} s.`, HttpStatus.TOO_MANY_REQUESTS);
  }
}
