import {
  ConflictException,
  Inject,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { lastValueFrom, of, type Observable } from 'rxjs';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { JobContext } from '../execution/job-context.js';
import type { TaskPolicy } from '../execution/policies-first.js';
import { keyOfRequest, keyOfTask } from '../execution/policy-key.js';
import type { HeldPlace } from '../parking/held-place.js';
import { JobInLine } from '../parking/job-in-line.js';
import { Parking } from '../parking/parking.js';
import { Enforces, policyOf } from '../task/method-policies.js';
import { JobLocks, lineOfLock } from './job-locks.js';
import type { ResolvedLocked } from './lock-options.js';
import { LockBusyError, LockLostError } from './lock.errors.js';

/** For how long (ms) a request waits for a lock unless its handler says so. */
const REQUEST_WAITS = 10_000;

/**
 * Does what {@link Locked} says, for tasks and for HTTP handlers. The decorator brings it along.
 *
 * @publicApi
 */
@Injectable()
@Enforces('lock')
export class LockInterceptor implements NestInterceptor {
  /** @internal */
  constructor(
    private readonly locks: JobLocks,
    private readonly parking: Parking,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const [options] = policyOf<ResolvedLocked>('lock', context.getHandler());
    if (!options) return next.handle();
    const place = await this.takeForRequest(keyOfRequest('@Locked', options.key, context), options);
    try {
      return of(await lastValueFrom(next.handle(), { defaultValue: undefined }));
    } finally {
      await this.locks.free(place);
    }
  }

  /** @internal */
  forTask(handler: object): TaskPolicy | undefined {
    const [options] = policyOf<ResolvedLocked>('lock', handler);
    return options && ((job, payload, next) => this.runLocked(options, job, payload, next));
  }

  private async runLocked(
    options: ResolvedLocked,
    job: JobContext,
    payload: unknown,
    next: () => Promise<unknown>,
  ): Promise<unknown> {
    const place = await this.takeForJob(keyOfTask('@Locked', options.key, payload, job), options, job);
    try {
      return await next();
    } finally {
      await this.parking.free(place);
    }
  }

  private async takeForJob(key: string, options: ResolvedLocked, job: JobContext): Promise<HeldPlace> {
    const { lines } = this.backend;
    const line = this.parking.line(lineOfLock(key), options.limit);
    const place = await new JobInLine(line, 'lock', key, job, this.parking, lines).take<never>({
      ...options,
      ask: (asked) => lines.take(line, job.id, asked),
      isBusy: `the lock "${key}" is held`,
      busy: () => new LockBusyError(key, options.maxWait ?? 0),
      lost: (fencingToken) => new LockLostError(key, fencingToken),
    });
    job.gate.lock = place;
    return place;
  }

  private async takeForRequest(key: string, options: ResolvedLocked): Promise<HeldPlace> {
    const { ttl, limit, onBusy } = options;
    const maxWait = onBusy === 'wait' ? (options.maxWait ?? REQUEST_WAITS) : 0;
    try {
      return await this.locks.take(key, { ttl, limit, maxWait, signal: undefined });
    } catch (error) {
      if (!(error instanceof LockBusyError)) throw error;
      throw new ConflictException('Another request holds what this one needs. Try again later.', { cause: error });
    }
  }
}
