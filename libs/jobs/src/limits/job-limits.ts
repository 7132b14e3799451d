import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { Bucket, LimitRule } from '../backend/limits.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { Reserved } from '../client/envelope.js';
import { Park, RetryLater } from '../execution/control-exceptions.js';
import type { JobContext } from '../execution/job-context.js';
import type { TaskPolicy } from '../execution/policies-first.js';
import { keyOfTask, refuseJob, sourceOf } from '../execution/policy-key.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { nameOfQueueLimit } from './limit-declarations.js';
import { costOf, type ResolvedRateLimited } from './rate-limited-options.js';

/**
 * How far away (ms) the time of a job may be for which it waits in its slot, by how often it was parked for the limit: to
 * park costs more than to wait for a moment, and who has been sent away several times is not sent away again.
 */
const PATIENCE = [5, 250] as const;
const LAST_PATIENCE = 10_000;

/** A limit that a job is under. */
interface Applied {
  readonly bucket: Bucket;
  readonly rule: LimitRule;
  readonly cost: number;
}

/** Has jobs wait outside of their slots for the times that limits give them. @internal */
@Injectable()
export class JobLimits {
  constructor(
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  async run(
    limits: readonly ResolvedRateLimited[],
    job: JobContext,
    payload: unknown,
    next: () => Promise<unknown>,
  ): Promise<unknown> {
    const applied = limits.map((limit) => appliedTo(limit, job, payload));
    for (const limit of applied) await this.pass(limit, job);
    let thrown: unknown;
    try {
      return await next();
    } catch (error) {
      thrown = error;
      throw error;
    } finally {
      // What was recorded decides, whatever an interceptor made of it; where none stood in between, nothing is yet.
      const said = job.control ?? thrown;
      if (said instanceof RetryLater && said.pauseKey) await this.pauseAll(applied, job, said.delay);
    }
  }

  /** Undefined when no queue has a limit. */
  ofQueues(): TaskPolicy | undefined {
    const rules = new Map<string, LimitRule>();
    for (const [queue, { rateLimit }] of this.options.queues) if (rateLimit) rules.set(queue, rateLimit);
    if (rules.size === 0) return undefined;
    return async (job, _payload, next) => {
      const rule = rules.get(job.queue);
      if (rule) await this.pass({ bucket: { name: nameOfQueueLimit(job.queue), key: '' }, rule, cost: 1 }, job);
      return next();
    };
  }

  private async pass({ bucket, rule, cost }: Applied, job: JobContext): Promise<void> {
    const { gate } = job;
    const id = JSON.stringify(bucket);
    if (gate.passed.includes(id)) return;
    const { waited } = gate;
    const reserved = waited?.reserved;
    const mine = reserved?.name === bucket.name && reserved.key === bucket.key ? reserved : undefined;
    const parks = mine?.parks ?? 0;
    const taken = await gate.ask(() =>
      this.backend.limits.take(bucket, rule, {
        cost,
        maxWait: Infinity,
        patience: PATIENCE[parks] ?? LAST_PATIENCE,
        ...(mine && { ticket: { at: mine.at, round: mine.round } }),
      }),
    );
    if (taken.kind === 'granted') {
      if (taken.wait > 0) await untilItsTime(taken.wait, job.signal);
      gate.passed.push(id);
      return;
    }
    const now = Date.now();
    const until = now + taken.wait;
    const mineNow: Reserved = { ...bucket, rule, cost, ...taken.ticket!, parks: parks + 1 };
    const since = mine ? waited!.since : now;
    const shown = bucket.key === '' ? bucket.name : `${bucket.name} ${bucket.key}`;
    throw new Park(
      {
        kind: 'parked',
        waits: { for: 'limit', key: shown, since, until, reserved: mineNow },
        until,
        passed: gate.passed,
      },
      () => this.backend.limits.giveBack(bucket, rule, cost, mineNow),
    );
  }

  private async pauseAll(applied: readonly Applied[], job: JobContext, delay: number): Promise<void> {
    for (const { bucket } of applied) await job.gate.insist(() => this.backend.limits.pause(bucket, delay));
  }
}

function appliedTo(limit: ResolvedRateLimited, job: JobContext, payload: unknown): Applied {
  const { name = job.task, key, rule } = limit;
  return {
    bucket: { name, key: key ? keyOfTask('@RateLimited', key, payload, job) : '' },
    rule,
    cost: costOf(limit, payload, sourceOf(job), refuseJob),
  };
}

async function untilItsTime(wait: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(wait, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
