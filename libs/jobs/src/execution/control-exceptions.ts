import { IntrinsicException } from '@nestjs/common';
import type { PlacedCanvas } from '../canvas/placed-canvas.js';
import { invalidArgument, requireDuration } from '../client/invalid-argument.error.js';
import type { Duration } from '../options/jobs-options.js';
import { readRetryAfter } from '../retry/retry-after.js';
import type { ParkedAttempt } from './attempt-outcome.js';
import { NonRetryableError } from './execution.errors.js';

const LONGEST_REASON = 500;

/** Options of {@link RetryLater}, also of `RetryLater.after`. @publicApi */
export interface RetryLaterOptions extends ErrorOptions {
  /** Shown as `error.message` of the attempt. @default that of `cause`, if it is an error */
  message?: string;
  /** Shown as `error.code` of the attempt. */
  code?: string;
  /**
   * Pauses the limits of `@RateLimited` on the task, each for the job's key, for as long: nobody is let through until then,
   * as after a 429. Without `@RateLimited` it does nothing. @default false
   */
  pauseKey?: boolean;
}

/**
 * Thrown by a task, ends the attempt as failed and says itself when the next one is due, whatever the retry policy says
 * of the wait. The attempt is spent: after the last one, and when the wait ends later than `retry.maxElapsed`, the job
 * fails with this error.
 *
 * The idea is Celery's `self.retry(countdown=..., exc=...)`.
 *
 * @throws {@link InvalidArgumentError} when the delay is none.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { RetryLater, Task } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Rates {
 *   @Task({ retry: { attempts: 10 } })
 *   async load(url: string): Promise<unknown> {
 *     const answer = await fetch(url);
 *     if (answer.status === 202) throw new RetryLater('1h', { message: 'There are no rates yet.' });
 *     if (answer.status === 429) throw RetryLater.after(answer.headers.get('retry-after'), '1m');
 *     return answer.json();
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export class RetryLater extends IntrinsicException {
  override readonly name: string = 'RetryLater';
  /** Milliseconds until the next attempt. */
  readonly delay: number;
  readonly code?: string;

  /** Whether the limits of the task are paused for as long. */
  readonly pauseKey: boolean;

  /** @param delay - milliseconds, or a string like `'5m'`; zero or more. */
  constructor(delay: Duration, options: RetryLaterOptions = {}) {
    const milliseconds = requireDuration('the delay of RetryLater', delay);
    const {
      cause,
      code,
      pauseKey = false,
      message = cause instanceof Error ? cause.message : 'The task asked for another attempt.',
    } = options;
    super(message, 'cause' in options ? { cause } : undefined);
    this.delay = milliseconds;
    this.pauseKey = pauseKey;
    if (code !== undefined) this.code = code;
  }

  /**
   * After as long as the Retry-After header of an HTTP answer says, in seconds or as a date; at most a day.
   *
   * @param header - the header's value, as it came; absent, it may be null or undefined.
   * @param otherwise - the delay when it is absent or cannot be read: milliseconds, or a string like `'5m'`.
   * @throws {@link InvalidArgumentError} when `otherwise` is no delay.
   */
  static after(header: string | null | undefined, otherwise: Duration, options: RetryLaterOptions = {}): RetryLater {
    const asked = typeof header === 'string' ? readRetryAfter(header) : undefined;
    return new RetryLater(asked ?? otherwise, options);
  }
}

/** What {@link Snooze.adaptive} takes. Durations are milliseconds, or strings like `'5s'`. @publicApi */
export interface AdaptivePolling {
  /** Whether this run has found something to do. */
  readonly active: boolean;
  readonly min: Duration;
  readonly max: Duration;
  /** By how much the wait changes: above 1. @default 2 */
  readonly factor?: number;
}

/**
 * Thrown by a task, puts the job back until `delay` has passed: its state is `scheduled` again. No attempt is spent, so a
 * job may snooze as often as it likes; what it said with `stage` and `progress` stays to be read meanwhile.
 *
 * The idea is Oban's `{:snooze, seconds}`.
 *
 * @throws {@link InvalidArgumentError} when the delay is none.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { type JobContext, Snooze, Task } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Exports {
 *   @Task()
 *   async fetch(payload: { url: string }, job: JobContext): Promise<string> {
 *     const answer = await fetch(payload.url, { signal: job.signal });
 *     if (answer.status === 202) throw new Snooze('30s');
 *     return answer.text();
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export class Snooze extends IntrinsicException {
  override readonly name: string = 'Snooze';
  /** Milliseconds until the task runs again. */
  readonly delay: number;

  /** @param delay - milliseconds, or a string like `'5m'`; zero or more. */
  constructor(delay: Duration) {
    const milliseconds = requireDuration('the delay of Snooze', delay);
    super(`The task asked to run again in ${milliseconds} ms.`);
    this.delay = milliseconds;
  }

  /**
   * For a task that polls something: sooner again as long as something happens there, later and later while nothing does.
   * The first wait is the shortest; each further one is half of the one before after a run with activity, and twice as long
   * after one without. What was waited is kept with the job, over restarts; after a failed attempt it begins anew.
   *
   * The idea is that of Celery tasks that set their own countdown.
   *
   * @param job - the context of the run that throws it.
   * @param polling - `active`: whether the run has found something; `min` and `max`: the shortest and the longest wait;
   * `factor`: by how much it changes, above 1 (2 by default).
   * @throws {@link InvalidArgumentError} for bounds that are none.
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { type JobContext, Snooze, Task } from 'nestjs-jobs';
   *
   * @Injectable()
   * export class Mailbox {
   *   @Task()
   *   async poll(payload: { url: string }, job: JobContext): Promise<never> {
   *     const answer = await fetch(payload.url, { signal: job.signal });
   *     const mails = (await answer.json()) as unknown[];
   *     throw Snooze.adaptive(job, { active: mails.length > 0, min: '5s', max: '10m' });
   *   }
   * }
   * ```
   */
  static adaptive(job: { readonly snoozedFor: number | undefined }, polling: AdaptivePolling): Snooze {
    const { active, factor = 2 } = polling;
    const [min, max] = [requireDuration('"min"', polling.min), requireDuration('"max"', polling.max)];
    if (max < min) throw invalidArgument('"max"', `at least "min" (${min} ms)`, max);
    if (typeof factor !== 'number' || !(factor > 1)) throw invalidArgument('"factor"', 'a number above 1', factor);
    const { snoozedFor } = job;
    const next = snoozedFor === undefined ? min : active ? snoozedFor / factor : Math.max(snoozedFor, 1) * factor;
    return new Snooze(Math.round(Math.min(max, Math.max(min, next))));
  }
}

/**
 * Thrown by a task that finds nothing to do, ends its job as `succeeded`, with the reason in the status and null as the
 * result.
 *
 * The idea is Oban's `{:cancel, reason}`, as a success: nobody has to look into it.
 *
 * @throws {@link InvalidArgumentError} when the reason is no text.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { Skip, Task } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Reminders {
 *   @Task()
 *   async remind(payload: { invoiceId: string; paid: boolean }): Promise<void> {
 *     if (payload.paid) throw new Skip('already paid');
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export class Skip extends IntrinsicException {
  override readonly name: string = 'Skip';
  /** At most 500 characters of what was given. */
  readonly reason: string;

  constructor(reason: string) {
    if (typeof reason !== 'string' || reason.trim() === '') {
      throw invalidArgument('the reason of Skip', 'text', reason);
    }
    super(reason);
    this.reason = reason.slice(0, LONGEST_REASON).replaceAll('\u0000', '\ufffd').toWellFormed();
  }
}

/** Thrown by what stands before a task, has the job step out of its slot. No attempt is spent. @internal */
export class Park extends IntrinsicException {
  override readonly name: string = 'Park';

  /** @param leave - undoes what the attempt did to be called. */
  constructor(
    readonly parked: ParkedAttempt,
    readonly leave: () => Promise<void> = async () => {},
  ) {
    super(`The job waits: ${parked.waits.for}.`);
  }
}

/** Thrown by `job.replaceWith`: the job waits for another canvas, and has the result of that. @internal */
export class Replaced extends IntrinsicException {
  override readonly name: string = 'Replaced';

  constructor(readonly canvas: PlacedCanvas) {
    super('The job is replaced by a canvas.');
  }
}

/** What a task throws to say how its job goes on. @internal */
export type ControlException = NonRetryableError | RetryLater | Snooze | Skip | Park | Replaced;

/** @internal */
export function isControlException(error: unknown): error is ControlException {
  return (
    error instanceof IntrinsicException &&
    (error instanceof NonRetryableError ||
      error instanceof RetryLater ||
      error instanceof Snooze ||
      error instanceof Skip ||
      error instanceof Park ||
      error instanceof Replaced)
  );
}
