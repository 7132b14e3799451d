import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { NO_DEAD_LETTER } from '../client/child-failure.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import { DeadLetterReader } from '../dead-letters/dead-letter-reader.js';
import { lineOfLock } from '../locking/job-locks.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { Askers } from './askers.js';
import { ageOf, type Counted } from './counted.js';
import type { Figures, QueueFigures } from './figures.js';
import { SharedFigures } from './shared-figures.js';

/** Of the time, what counting may take when it is done again and again. */
const MOST_SHARE = 0.04;
/** Between two looks (ms) whether another process has counted. */
const LOOK_AGAIN = 100;

/**
 * Counts what the store has, for the whole fleet. What one process has counted serves them all, and a process that was asked
 * once has young figures in its memory for some minutes: whoever asks again and again, as for metrics, waits for nothing and
 * costs the store nothing.
 *
 * @internal
 */
@Injectable()
export class Census implements OnModuleDestroy {
  private readonly names: readonly string[];
  private readonly shared: SharedFigures;
  private readonly askers = new Askers();
  private known: Counted | undefined;
  private refreshing: Promise<Counted> | undefined;
  private counting: Promise<Counted> | undefined;
  private following: Promise<Counted> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private tookLast: number | undefined;
  /** When (by `performance.now()`) it is tried again at the soonest, after a failure. */
  private notBefore = 0;
  private isStopped = false;

  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    private readonly deadLetters: DeadLetterReader,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.names = [...options.queues.keys()].filter((name) => name !== INTERNAL_QUEUE);
    // Who has other queues, or keeps dead letters for another time, counts something else.
    const of = JSON.stringify([this.names, options.keepFailedFor]);
    this.shared = new SharedFigures(backend.ledger, client, of);
  }

  /**
   * What was counted of all declared queues.
   *
   * @param maxAge - milliseconds that it may be old; 0: it is counted now. Where counting takes so long that it would take
   * more than a few per cent of the time, what is older is answered.
   * @throws {@link BackendUnavailableError}.
   */
  async read(maxAge: number): Promise<Figures> {
    if (!(maxAge > 0)) return (await this.count()).figures;
    this.askers.add(maxAge);
    const { figures } = await this.young(maxAge);
    if (!this.refreshing) this.plan();
    return figures;
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    // Whoever waits for its claim need not do so in vain.
    if (this.refreshing) await settlesWithin(this.options.connectTimeout, this.refreshing);
  }

  private async young(maxAge: number): Promise<Counted> {
    for (;;) {
      if (isYoung(this.known, maxAge)) return this.known;
      if (!this.refreshing) return this.refresh(maxAge);
      await this.refreshing;
    }
  }

  private refresh(maxAge: number): Promise<Counted> {
    this.refreshing ??= this.renew(maxAge).then(
      (counted) => {
        this.refreshing = undefined;
        this.learn(counted);
        this.plan();
        return counted;
      },
      (error) => {
        this.refreshing = undefined;
        this.plan({ afterFailure: true });
        throw error;
      },
    );
    return this.refreshing;
  }

  /** Before what is known is too old for those who ask. */
  private plan({ afterFailure = false } = {}): void {
    clearTimeout(this.timer);
    const maxAge = this.askers.smallest();
    if (this.isStopped || maxAge === undefined) return;
    const wanted = lifetime(maxAge, this.known) / 2;
    const now = performance.now();
    if (afterFailure) this.notBefore = now + wanted;
    const due = this.known ? wanted - ageOf(this.known) : wanted;
    // An unreachable backend is reported by the health check, and to whoever asks.
    const refresh = (): void => void this.refresh(wanted).catch(() => undefined);
    this.timer = setTimeout(refresh, Math.max(due, this.notBefore - now, 0)).unref();
  }

  /** From another process, or counted, while no other process does so. */
  private async renew(maxAge: number): Promise<Counted> {
    // Who counts may have died, or takes as long as it took the last time.
    const patience = performance.now() + Math.max(this.options.connectTimeout, 2 * (this.known?.took ?? 0));
    for (;;) {
      const before = await this.shared.find(this.known);
      if (isYoung(before, maxAge)) return before;
      const isMine = await this.shared.claim();
      if (isMine || performance.now() > patience) {
        try {
          // Somebody may have ended just before the claim.
          const since = isMine ? await this.shared.find(this.known) : undefined;
          return isYoung(since, maxAge) ? since : await this.count();
        } finally {
          if (isMine) await this.shared.release();
        }
      }
      await pause(LOOK_AGAIN, undefined, { ref: false });
    }
  }

  /** Whoever comes while it is counted may not have what was counted before. They share the next count. */
  private count(): Promise<Counted> {
    if (this.following) return this.following;
    const begin = (): Promise<Counted> => {
      this.counting = this.following = undefined;
      const counting = this.countNow().finally(() => {
        if (this.counting === counting) this.counting = undefined;
      });
      return (this.counting = counting);
    };
    if (!this.counting) return begin();
    this.following = this.counting.then(begin, begin);
    return this.following;
  }

  private async countNow(): Promise<Counted> {
    const [at, began] = [Date.now(), performance.now()];
    const question = {
      queues: this.names.map((name) => this.queues.get(name)),
      deadLettersSince: this.deadLetters.keptSince(),
      exceptReason: NO_DEAD_LETTER,
      lockLines: lineOfLock(''),
    };
    const read = await this.patiently(() => this.backend.figures.read(question));
    const figures = { at, ...read, queues: read.queues.map((queue) => notBeyond(at, queue)) };
    const counted = { figures, took: this.usually(performance.now() - began), seen: began, ageThen: 0 };
    this.learn(counted);
    await this.shared.publish(counted);
    return counted;
  }

  /** One that was slow, as on a store that was away for a moment, does not make old figures do for minutes. */
  private usually(took: number): number {
    const before = this.tookLast ?? this.known?.took ?? took;
    this.tookLast = took;
    return Math.min(took, before);
  }

  /** Counting may take longer than an answer should: it is waited for as long as the store answers at all. */
  private async patiently<T>(count: () => Promise<T>): Promise<T> {
    const { connectTimeout } = this.options;
    const { counting } = await this.client.reach(async () => ({ counting: count() }));
    while (!(await settlesWithin(connectTimeout, counting))) {
      // What is inside the process answers nobody else meanwhile.
      if (this.backend.kind !== 'embedded') await this.backend.ping(connectTimeout);
    }
    return this.client.reach(() => counting);
  }

  private learn(counted: Counted): void {
    if (!this.known || ageOf(counted) < ageOf(this.known)) this.known = counted;
  }
}

/** The clock of whoever enqueued may be ahead, and a job may have been brought forward. */
function notBeyond(now: number, queue: QueueFigures): QueueFigures {
  const { oldestWaitingSince: since } = queue;
  return since === undefined || since <= now ? queue : { ...queue, oldestWaitingSince: now };
}

function isYoung(counted: Counted | undefined, maxAge: number): counted is Counted {
  return counted !== undefined && ageOf(counted) <= lifetime(maxAge, counted);
}

/** For how long (ms) it will do. By half of it, it is counted anew. */
function lifetime(maxAge: number, counted: Counted | undefined): number {
  return Math.max(maxAge, (2 * (counted?.took ?? 0)) / MOST_SHARE);
}
