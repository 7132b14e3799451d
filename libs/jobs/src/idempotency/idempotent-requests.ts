import {
  ConflictException,
  Inject,
  Injectable,
  Logger,
  UnprocessableEntityException,
  type CallHandler,
  type ExecutionContext,
} from '@nestjs/common';
import { lastValueFrom } from 'rxjs';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { Kept, Mismatch } from '../backend/kept-results.js';
import type { Holding } from '../backend/lines.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { AcceptedJob } from '../client/accepted-job.js';
import { JobHandle } from '../client/job-handle.js';
import type { JobState } from '../client/job-status.js';
import { JobsClient } from '../client/jobs-client.js';
import { bodyOf, keyOfRequest } from '../execution/policy-key.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { CodeInLine } from '../parking/code-in-line.js';
import { HeldPlace } from '../parking/held-place.js';
import { Parking } from '../parking/parking.js';
import { ResultKeeper } from '../results/result-keeper.js';
import { nameOfHandler } from '../task/method-policies.js';
import { fingerprintOf } from './fingerprint.js';
import { IdempotencyBusyError, IdempotencyClaimLostError, IdempotencyMismatchError } from './idempotency.errors.js';
import type { ResolvedIdempotent } from './idempotent-options.js';

/** For how long (ms) a request waits for another one unless its handler says so. */
const REQUEST_WAITS = 10_000;
const MOST_TRIES = 3;
const DONE_BEFORE = 'This request was answered before, and the answer cannot be given again.';

/** What is kept of an answer. */
interface KeptAnswer {
  readonly status: number | undefined;
  /** Absent for an empty one. */
  readonly body?: unknown;
  /** It was no plain JSON. */
  readonly isLost?: true;
  /** In the place of a body: the answer was made with `accepted(job)`, and becomes a response each time anew. */
  readonly accepted?: { readonly id: string; readonly state: JobState; readonly dueAt: number };
}

/** Of Express's and Fastify's requests. */
interface RequestLine {
  readonly method?: string;
  readonly originalUrl?: string;
  readonly url?: string;
}

/** What Express's and Fastify's replies have in common. */
interface Reply {
  readonly statusCode?: number;
  status?(code: number): unknown;
}

/** Answers requests once for each key. @internal */
@Injectable()
export class IdempotentRequests {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly client: JobsClient,
    private readonly parking: Parking,
    private readonly inLine: CodeInLine,
    private readonly results: ResultKeeper,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  async once(options: ResolvedIdempotent, context: ExecutionContext, next: CallHandler): Promise<unknown> {
    const key = keyOfRequest('@Idempotent', options.key, context);
    const handler = options.name ?? nameOfHandler(context.getClass(), context.getHandler());
    const reply = context.switchToHttp().getResponse<Reply>();
    const { method, originalUrl, url } = context.switchToHttp().getRequest<RequestLine>();
    const fingerprint = fingerprintOf([method ?? '', originalUrl ?? url ?? '', bodyOf(context) ?? null]);
    const claimed = await this.claim(`once:http:${handler}:${key}`, options, fingerprint);
    if (!claimed) {
      const cause = new IdempotencyBusyError(key);
      throw new ConflictException('Another request with this idempotency key is being answered. Try again later.', {
        cause,
      });
    }
    if ('kind' in claimed) {
      if (claimed.kind === 'mismatch') throw this.mismatch(key, claimed);
      const kept = JSON.parse(claimed.value) as KeptAnswer;
      if (kept.isLost) throw new ConflictException(DONE_BEFORE);
      if (kept.status !== undefined) reply.status?.(kept.status);
      return kept.accepted ? this.acceptedAgain(kept.accepted) : kept.body;
    }
    let isKept = false;
    try {
      const body: unknown = await lastValueFrom(next.handle(), { defaultValue: undefined });
      const value = JSON.stringify({ status: reply.statusCode, ...this.keptOf(handler, body) } satisfies KeptAnswer);
      const { line, id, fencingToken } = claimed;
      const kept = { fencingToken, fingerprint, value, keepFor: options.ttl };
      const wake = await this.insist(() => this.backend.keptResults.keep(line, id, kept));
      if (!wake) throw new IdempotencyClaimLostError(key);
      isKept = true;
      await this.parking.wake(wake);
      return body;
    } finally {
      if (isKept) claimed.letGo();
      else await this.inLine.free(claimed);
    }
  }

  /** What was done is done: a moment without the store must not make it be done again. */
  private async insist<Answer>(keep: () => Promise<Answer>): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.client.reach(keep);
      } catch (error) {
        if (tries === MOST_TRIES) throw error;
      }
    }
  }

  private keptOf(handler: string, body: unknown): Pick<KeptAnswer, 'body' | 'accepted' | 'isLost'> {
    if (body instanceof AcceptedJob) {
      const { id, expected } = body.job;
      return { accepted: { id, state: expected.state, dueAt: Date.now() + expected.delay } };
    }
    if (body === undefined) return {};
    try {
      return { body: this.results.storable(handler, body) };
    } catch (error) {
      // It is done, and must not be done again because of its answer. To make plain JSON of an entity would give away
      // what a serializer further out leaves out.
      this.logger.error(
        `The answer of ${handler} cannot be given again to its idempotency key: ${(error as Error).message}`,
      );
      return { isLost: true };
    }
  }

  private acceptedAgain({ id, state, dueAt }: NonNullable<KeptAnswer['accepted']>): AcceptedJob {
    return new AcceptedJob(new JobHandle(id, this.client, { state, delay: Math.max(0, dueAt - Date.now()) }));
  }

  private async claim(
    name: string,
    { onBusy, maxWait = REQUEST_WAITS }: ResolvedIdempotent,
    fingerprint: string,
  ): Promise<HeldPlace | Kept | Mismatch | undefined> {
    const { lines, keptResults } = this.backend;
    const { lease: ttl } = this.options;
    const line = this.parking.line(name, 1);
    const waits = { ttl, maxWait: onBusy === 'wait' ? maxWait : 0, signal: undefined };
    const claimed = await this.inLine.untilAnswered<Holding | Kept | Mismatch>(line, waits, (id, how) =>
      keptResults.claim(line, id, { ...how, fingerprint }),
    );
    if (!claimed) return undefined;
    const { answer, id, askedAt } = claimed;
    if (answer.kind !== 'holds') return answer;
    return new HeldPlace({ lines, line, id, fencingToken: answer.fencingToken, ttl, askedAt });
  }

  /** The id of whoever came first is nobody's business. */
  private mismatch(key: string, { by }: Mismatch): Error {
    const cause = new IdempotencyMismatchError(key, by);
    return new UnprocessableEntityException('The idempotency key belongs to another request body.', { cause });
  }
}
