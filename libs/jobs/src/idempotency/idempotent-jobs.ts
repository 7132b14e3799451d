import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { Kept, Mismatch } from '../backend/kept-results.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { hashed } from '../execution/idempotency-key.js';
import type { JobContext } from '../execution/job-context.js';
import { keyOfTask } from '../execution/policy-key.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { HeldPlace } from '../parking/held-place.js';
import { JobInLine } from '../parking/job-in-line.js';
import { Parking } from '../parking/parking.js';
import { packResult, resultIn } from '../client/stored-result.js';
import { ResultKeeper } from '../results/result-keeper.js';
import { parseResult } from '../task/schema-check.js';
import { TaskRegistry } from '../task/task.registry.js';
import { fingerprintOf } from './fingerprint.js';
import { IdempotencyBusyError, IdempotencyClaimLostError, IdempotencyMismatchError } from './idempotency.errors.js';
import type { ResolvedIdempotent } from './idempotent-options.js';

/** Milliseconds. The time of a key begins when its result has been written, and not all clocks are the same. */
const WRITING = 3_600_000;

/** A claim on a key. */
interface Claim {
  readonly key: string;
  readonly fingerprint: string;
  readonly place: HeldPlace;
}

/** Runs tasks once for each key. @internal */
@Injectable()
export class IdempotentJobs {
  constructor(
    private readonly parking: Parking,
    private readonly registry: TaskRegistry,
    private readonly results: ResultKeeper,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  async once(
    options: ResolvedIdempotent,
    job: JobContext,
    payload: unknown,
    next: () => Promise<unknown>,
  ): Promise<unknown> {
    const { gate } = job;
    const key = keyOfTask('@Idempotent', options.key, payload, job);
    const makeKey = (): string => hashed('key', this.options.namespace, options.name ?? job.task, key);
    gate.makeIdempotencyKey = makeKey;
    const claimed = await this.claim(key, options, job, payload);
    if ('value' in claimed) {
      if (claimed.by !== job.id) gate.deduplicatedBy = claimed.by;
      return this.ownResult(job, resultIn(JSON.parse(claimed.value)));
    }
    let isKept = false;
    try {
      const result = await this.storable(options, job, await next());
      await this.keep(claimed, options, job, result);
      isKept = true;
      return this.ownResult(job, result);
    } finally {
      if (isKept) claimed.place.letGo();
      else await this.parking.free(claimed.place);
    }
  }

  private async claim(
    key: string,
    options: ResolvedIdempotent,
    job: JobContext,
    payload: unknown,
  ): Promise<Claim | Kept> {
    const { lines, keptResults } = this.backend;
    const line = this.parking.line(`once:${options.name ?? job.task}:${key}`, 1);
    const fingerprint = fingerprintOf(payload);
    const claimed = await new JobInLine(line, 'idempotency', key, job, this.parking, lines).take<Kept | Mismatch>({
      onBusy: options.onBusy,
      maxWait: options.maxWait,
      ttl: this.options.lease,
      ask: (asked) => keptResults.claim(line, job.id, { ...asked, fingerprint }),
      isBusy: `another job with the idempotency key "${key}" runs`,
      busy: () => new IdempotencyBusyError(key),
      lost: () => new IdempotencyClaimLostError(key),
    });
    if (claimed instanceof HeldPlace) return { key, fingerprint, place: claimed };
    if (claimed.kind === 'mismatch') throw new IdempotencyMismatchError(key, claimed.by);
    return claimed;
  }

  /** As the executor would check it, which is too late. What the job does not want kept, others with its key may. */
  private async storable({ ttl }: ResolvedIdempotent, job: JobContext, result: unknown): Promise<unknown> {
    const output = this.registry.find(job.task)?.output;
    const parsed = output ? await parseResult(job.task, output, result) : result;
    // The last job that gets it does so when the key is about to be forgotten.
    const until = Date.now() + ttl + this.options.keepFor + WRITING;
    return this.results.keepAny(job.gate.job, parsed ?? null, { attempt: job, until });
  }

  private ownResult({ gate }: JobContext, result: unknown): unknown {
    gate.isResultChecked = true;
    return gate.job.data.k === 0 ? null : result;
  }

  private async keep(
    { key, fingerprint, place }: Claim,
    { ttl }: ResolvedIdempotent,
    job: JobContext,
    result: unknown,
  ) {
    const { line, id, fencingToken } = place;
    const kept = { fencingToken, fingerprint, value: JSON.stringify(packResult(result)), keepFor: ttl };
    const wake = await job.gate.insist(() => this.backend.keptResults.keep(line, id, kept));
    if (!wake) throw new IdempotencyClaimLostError(key);
    // They are owed it: the first of them that comes has the others woken, should this process die.
    if (wake.length > 0) void this.parking.wake(wake);
  }
}
