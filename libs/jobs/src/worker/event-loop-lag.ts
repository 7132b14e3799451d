import { Inject, Injectable, Logger } from '@nestjs/common';
import { RunningJobs } from '../execution/running-jobs.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';

/** The longest pause (ms) between two looks at the clock: an end that came in it may be taken for one in the block. */
const LOOK_EVERY = 250;
const LOOKS_PER_LEASE = 40;
/** Between two warnings (ms). */
const QUIET_FOR = 60_000;
const MOST_NAMED = 10;

/**
 * Measures how late the event loop is, and warns when it was blocked for so long that claims on running jobs could nearly not be renewed, with the
 * jobs that ran meanwhile.
 *
 * @internal
 */
@Injectable()
export class EventLoopLag {
  private readonly logger = new Logger('Jobs');
  private readonly interval: number;
  private timer: NodeJS.Timeout | undefined;
  private lookedAt = 0;
  private warnedAt = -Infinity;
  private worst = 0;
  private notNamed = 0;

  constructor(
    private readonly running: RunningJobs,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.interval = Math.min(options.lease / LOOKS_PER_LEASE, LOOK_EVERY);
  }

  start(): void {
    this.lookedAt = performance.now();
    this.running.forgetEnded();
    this.timer = setInterval(() => this.look(), this.interval).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** How late (ms) the event loop was at worst since this was asked before. */
  takeWorst(): number {
    const { worst } = this;
    this.worst = 0;
    return Math.round(worst);
  }

  private look(): void {
    const now = performance.now();
    const blocked = now - this.lookedAt - this.interval;
    this.lookedAt = now;
    this.worst = Math.max(this.worst, blocked);
    // Who works no queue has no claims to lose.
    if (blocked > this.options.lease / 2 && this.options.workedQueues.size > 0) this.warn(blocked, now);
    this.running.forgetEnded();
  }

  private warn(blocked: number, now: number): void {
    if (now - this.warnedAt < QUIET_FOR) {
      this.notNamed++;
      return;
    }
    const earlier = this.notNamed > 0 ? ` (and ${this.notNamed} more times since the last warning)` : '';
    this.warnedAt = now;
    this.notNamed = 0;
    // What blocked may have ended before this timer could run.
    const jobs = [...new Set([...this.running.justEnded(), ...this.running.all()])];
    const named = jobs.slice(0, MOST_NAMED).map(({ task, id }) => `${task} (job ${id})`);
    if (jobs.length > MOST_NAMED) named.push(`${jobs.length - MOST_NAMED} more`);
    this.logger.warn(
      `The event loop was blocked for ${Math.round(blocked)} ms${earlier}, more than half of the lease of ` +
        `${this.options.lease} ms: claims on running jobs are not renewed meanwhile, and other processes may run ` +
        `these jobs too. Running at the time: ${named.join(', ') || 'no job'}. ` +
        'Do long computations in a worker thread, or in chunks with a pause between them.',
    );
  }
}
