import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { Granted, LimitAlgorithm, LimitChange, Limited, LimitRule, TakeLimit, Ticket } from '../backend/limits.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { invalidArgument, requireDuration } from '../client/invalid-argument.error.js';
import { JobsClient } from '../client/jobs-client.js';
import type { Duration } from '../options/jobs-options.js';
import { LONGEST_TIMER } from '../options/option-reader.js';
import {
  requireLimitKey,
  requireLimitName,
  resolveConsumeOptions,
  type ConsumeOptions,
  type ResolvedConsumeOptions,
} from './limit-options.js';
import { formatLimit, resolveLimitChange, type RateLimitRule } from './limit-rule.js';
import { RateLimitedError } from './limit.errors.js';

/** How far away (ms) a time is given to code at once: it waits by itself anyway. Its delays within it hold up others. */
const PATIENCE = 250;
/** Names that code makes up as it goes must not fill the memory: who is limited belongs into keys. */
const MOST_DECLARED = 10_000;
const LEAST_FACTOR = 0.001;
const LONGEST_PAUSE = 31 * 24 * 3_600_000;

/** A limit as it counts now. @publicApi */
export interface RateLimitState {
  readonly name: string;
  /** As {@link RateLimitRule.limit}, before the factor. */
  readonly limit: string;
  /** Of a token bucket, before the factor. */
  readonly burst: number;
  readonly algorithm: LimitAlgorithm;
  /** Whether it was changed at run time. */
  readonly isOverridden: boolean;
  /** What all limits are multiplied with; 1 unless {@link RateLimits.reduceAll} said otherwise. */
  readonly factor: number;
}

/**
 * Rate limits of the whole fleet, for any code, and their changes at run time.
 *
 * The same as `jobs.limits`.
 *
 * @publicApi
 */
@Injectable()
export class RateLimits {
  private readonly logger = new Logger('Jobs');
  private readonly declared = new Map<string, LimitRule>();

  /** @internal */
  constructor(
    private readonly client: JobsClient,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  /**
   * Resolves when the limit lets the caller through, in the order in which callers came, and counts it. Whoever waits
   * reserves a time, and asks the store again then, not before.
   *
   * Three algorithms: `token-bucket` lets `burst` through at once, and never more than `burst` and what the limit gives
   * since; `fixed-window` at most `limit` in each window, which begins at whole multiples of its length (UTC);
   * `sliding-window` at most `limit` in any time of that length. They hold for the moments at which the store let callers
   * through; how long the answer takes to the caller they cannot say.
   *
   * The idea is the `acquire` of Guava's `RateLimiter`, for a fleet.
   *
   * @throws {@link RateLimitedError} when `maxWait` would not be enough, at once; {@link InvalidArgumentError};
   * {@link BackendUnavailableError}; and the reason of `options.signal`. What was let through already is counted then.
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { JobsService } from 'nestjs-jobs';
   *
   * @Injectable()
   * export class Crm {
   *   constructor(private readonly jobs: JobsService) {}
   *
   *   async contact(tenant: string, id: string): Promise<unknown> {
   *     await this.jobs.limits.consume({ name: 'crm-api', limit: '100/m', key: tenant, maxWait: '10s' });
   *     const answer = await fetch(`https://crm.example/${tenant}/contacts/${id}`);
   *     if (answer.status === 429) await this.jobs.limits.pause('crm-api', '30s', { key: tenant });
   *     return answer.json();
   *   }
   * }
   * ```
   */
  async consume(options: ConsumeOptions): Promise<void> {
    const call = resolveConsumeOptions(options, (name) => this.declared.get(name));
    const { bucket, rule, cost, maxWait, signal } = call;
    this.declare(bucket.name, rule);
    const deadline = performance.now() + maxWait;
    let ticket: Ticket | undefined;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const left = Math.max(deadline - performance.now(), 0);
        const patience = Math.min(left, PATIENCE);
        const taken = await this.ask(call, { cost, maxWait: left, patience, ...(ticket && { ticket }) });
        ticket = taken.kind === 'waits' ? taken.ticket : undefined;
        if (taken.kind === 'granted') return await wait(taken.wait, signal);
        if (!ticket || taken.wait > left) throw new RateLimitedError(bucket.name, bucket.key, taken.wait);
        await wait(taken.wait, signal);
      }
    } finally {
      if (ticket) await this.giveBack(call, ticket);
    }
  }

  /**
   * Changes a limit for the whole fleet, at once and until it is changed again or {@link reset}, also over restarts. Times
   * already reserved keep; who comes at such a time is let through when the new limit does so.
   *
   * Without `burst` that of the code stays, and where code gives none the new limit is it. Without `algorithm` that of the
   * code stays.
   *
   * @param name - of the limit, whether this process declares it or not. 1 to 200 characters.
   * @param limit - such as `'10/s'`. To stop what runs under a limit, {@link pause} it.
   * @throws {@link InvalidArgumentError}; {@link BackendUnavailableError}.
   */
  async set(name: string, limit: string | RateLimitRule): Promise<void> {
    requireLimitName(name);
    const change = resolveLimitChange(`the limit "${name}"`, limit);
    await this.client.reach(() => this.backend.limits.change(name, change));
  }

  /**
   * How a limit is now; undefined for one that this process does not declare (code does so when it first uses it) and
   * nobody changed.
   *
   * @throws {@link InvalidArgumentError}; {@link BackendUnavailableError}.
   */
  async get(name: string): Promise<RateLimitState | undefined> {
    requireLimitName(name);
    const { changes, factor } = await this.client.reach(() => this.backend.limits.changes());
    return this.stateOf(name, changes.get(name), factor);
  }

  /**
   * All limits that this process declares or that were changed, by name.
   *
   * @throws {@link BackendUnavailableError}.
   */
  async list(): Promise<RateLimitState[]> {
    const { changes, factor } = await this.client.reach(() => this.backend.limits.changes());
    const names = new Set([...this.declared.keys(), ...changes.keys()]);
    return [...names].sort().map((name) => this.stateOf(name, changes.get(name), factor)!);
  }

  /**
   * Takes back what {@link set} said: the limit is as code declares it.
   *
   * @throws {@link InvalidArgumentError}; {@link BackendUnavailableError}.
   */
  async reset(name: string): Promise<void> {
    requireLimitName(name);
    await this.client.reach(() => this.backend.limits.change(name, undefined));
  }

  /**
   * Multiplies all limits of the fleet with a factor, until {@link restore}: a brake for when everything behind them
   * suffers. Bursts too, down to 1; what a window's limit has after the point is dropped, and one below 1 makes the window
   * longer instead. Called again, it replaces the factor.
   *
   * @param factor - above 0 and at most 1.
   * @throws {@link InvalidArgumentError}; {@link BackendUnavailableError}.
   */
  async reduceAll(factor: number): Promise<void> {
    if (!(typeof factor === 'number' && factor >= LEAST_FACTOR && factor <= 1)) {
      throw invalidArgument('the factor of all limits', `a number from ${LEAST_FACTOR} to 1`, factor);
    }
    await this.client.reach(() => this.backend.limits.scale(factor));
  }

  /**
   * Ends {@link reduceAll}. What was {@link set} stays.
   *
   * @throws {@link BackendUnavailableError}.
   */
  async restore(): Promise<void> {
    await this.client.reach(() => this.backend.limits.scale(1));
  }

  /**
   * Lets nobody through for a time, as when a service answered 429. Of two pauses, the one that ends later counts.
   *
   * @param duration - from now; at most 31 days.
   * @param options - `key`: whose part of the limit; without it that of those who give no key.
   * @throws {@link InvalidArgumentError}; {@link BackendUnavailableError}.
   */
  async pause(name: string, duration: Duration, options: { key?: string } = {}): Promise<void> {
    const bucket = { name: requireLimitName(name), key: requireLimitKey(options.key) };
    const milliseconds = requireDuration('the duration of a pause', duration);
    if (milliseconds > LONGEST_PAUSE) throw invalidArgument('the duration of a pause', 'at most 31 days', duration);
    await this.client.reach(() => this.backend.limits.pause(bucket, milliseconds));
  }

  /** What a limit is unless it is changed. @internal */
  declare(name: string, rule: LimitRule): void {
    this.declared.delete(name);
    this.declared.set(name, rule);
    if (this.declared.size > MOST_DECLARED) this.declared.delete(this.declared.keys().next().value!);
  }

  /** What this process declares, that which was used last at the end. @internal */
  get declarations(): ReadonlyMap<string, LimitRule> {
    return this.declared;
  }

  private stateOf(name: string, change: LimitChange | undefined, factor: number): RateLimitState | undefined {
    const declared = this.declared.get(name);
    if (!declared && !change) return undefined;
    const { limit, period, burst, algorithm } = overridden(declared, change);
    return {
      name,
      limit: formatLimit({ limit, period }),
      burst,
      algorithm,
      isOverridden: change !== undefined,
      factor,
    };
  }

  private async ask(call: ResolvedConsumeOptions, options: TakeLimit): Promise<Granted | Limited> {
    let asked: Promise<Granted | Limited> | undefined;
    try {
      return await this.client.reach(() => (asked = this.backend.limits.take(call.bucket, call.rule, options)));
    } catch (error) {
      // The time may have been reserved all the same.
      void asked?.then(
        (taken) => (taken.kind === 'waits' && taken.ticket ? this.giveBack(call, taken.ticket) : undefined),
        () => undefined,
      );
      throw error;
    }
  }

  private async giveBack({ bucket, rule, cost }: ResolvedConsumeOptions, ticket: Ticket): Promise<void> {
    try {
      await this.client.reach(() => this.backend.limits.giveBack(bucket, rule, cost, ticket));
    } catch (error) {
      // Its time passes by unused.
      this.logger.debug(`Could not give back a time of the limit "${bucket.name}": ${(error as Error).message}`);
    }
  }
}

/** The rule that counts, as the store reckons it. @internal */
export function overridden(declared: LimitRule | undefined, change: LimitChange | undefined): LimitRule {
  if (!change) return declared!;
  const burst = declared && declared.burst !== declared.limit ? declared.burst : change.limit;
  return { burst, algorithm: declared?.algorithm ?? 'token-bucket', ...change };
}

async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (milliseconds <= 0) return;
  try {
    await sleep(Math.min(milliseconds, LONGEST_TIMER), undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
