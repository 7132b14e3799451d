import { AsyncResource } from 'node:async_hooks';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { settlesWithin } from '../backend/with-timeout.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import type { EventListener, ListenerCounts } from './event-listener.js';
import type { JobEvent, JobEventName } from './job-event.js';
import type { JobObserver } from './job-observer.js';
import type { JobEventScope } from './listener-metadata.js';
import { enqueuedEvent, type SentJob } from './told-events.js';

/** Calls that wait for the app to be up. */
const MOST_EARLY = 10_000;

/** What is told before all that happens to a job meanwhile. @internal */
export interface Turn {
  tell(event: JobEvent): void;
  /** It is told now, if nothing before it is held up. */
  end(): void;
}

interface HeldTurn {
  readonly events: JobEvent[];
  isOver: boolean;
}

/** Tells listeners what happens to jobs, beside whatever is doing it. @internal */
@Injectable()
export class JobEvents implements OnApplicationBootstrap {
  private readonly listeners: Record<JobEventScope, EventListener[]> = { local: [], fleet: [] };
  private readonly wanted: Record<JobEventScope, Set<JobEventName>> = { local: new Set(), fleet: new Set() };
  /** Neither of the job nor of the request in which something happens. */
  private readonly outside = new AsyncResource('JobEvents');
  /** Of jobs whose store has not answered yet, by their ids. */
  private readonly turns = new Map<string, HeldTurn[]>();
  private waiting: [listener: EventListener, event: JobEvent][] = [];
  private isUp = false;
  private isClosed = false;
  /** Whether anybody wants to hear of what this process does; else nothing is made ready to be told. */
  hasLocal = false;
  /** Counts what this process does. Set before the workers start. */
  observer: JobObserver | undefined;
  private hearsEnqueued = false;

  /** Once, at boot. */
  fill(listeners: readonly EventListener[]): void {
    for (const listener of listeners) {
      this.listeners[listener.scope].push(listener);
      for (const name of listener.events) this.wanted[listener.scope].add(name);
    }
    this.hasLocal = this.listeners.local.length > 0;
    this.hearsEnqueued = this.wants('local', 'enqueued');
  }

  /** Listeners are called when all providers are initialised. */
  onApplicationBootstrap(): void {
    this.isUp = true;
    this.callSoon();
  }

  wants(scope: JobEventScope, ...names: JobEventName[]): boolean {
    return names.some((name) => this.wanted[scope].has(name));
  }

  /** Whether somebody wants to hear this of jobs of a task. */
  wantsOf(task: string, scope: JobEventScope, name: JobEventName): boolean {
    return this.listeners[scope].some((listener) => listener.fits(name, task));
  }

  /**
   * Jobs that this process sends to the store: when they are there, that is told, and before all that happens to them. A
   * worker may have one before the store has answered.
   *
   * @param isNew - of which of them it is told.
   */
  sending<Answer>(
    jobs: Iterable<SentJob>,
    send: () => Promise<Answer>,
    isNew: (answer: Answer, n: number) => boolean,
  ): Promise<Answer> {
    return this.hearsEnqueued ? this.sendingHeard([...jobs], send, isNew) : send();
  }

  /**
   * What happens to the job from now on is told after what this turn tells: the store may answer somebody else first who
   * goes on with the job.
   */
  hold(job: string): Turn {
    const turns = this.turns.get(job) ?? [];
    this.turns.set(job, turns);
    const own: JobEvent[] = [];
    const held: HeldTurn = { events: own, isOver: false };
    const later: HeldTurn = { events: [], isOver: true };
    turns.push(held, later);
    return {
      tell: (event) => void own.push(event),
      end: () => {
        held.isOver = true;
        if (turns.includes(held)) this.pass(job);
      },
    };
  }

  /** Comes back at once: whoever tells it is in the middle of something. */
  tell(scope: JobEventScope, event: JobEvent): void {
    const turns = scope === 'local' ? this.turns.get(event.id) : undefined;
    if (turns) turns.at(-1)!.events.push(event);
    else this.call(scope, event);
  }

  /** What became of the calls so far, by listener. */
  counts(): ListenerCounts[] {
    return this.all.map(({ counts }) => counts);
  }

  /** Nothing is told any more. Waits at most `timeout` ms for what was. */
  async close(timeout: number): Promise<void> {
    this.callAll();
    this.isClosed = true;
    await settlesWithin(timeout, Promise.all(this.all.map((listener) => listener.idle())));
  }

  private async sendingHeard<Answer>(
    jobs: readonly SentJob[],
    send: () => Promise<Answer>,
    isNew: (answer: Answer, n: number) => boolean,
  ): Promise<Answer> {
    const at = Date.now();
    const turns = jobs.map(({ id }) => this.hold(id));
    try {
      const answer = await send();
      for (const [n, job] of jobs.entries()) {
        if (job.queue !== INTERNAL_QUEUE && isNew(answer, n)) turns[n]!.tell(enqueuedEvent(job, at));
      }
      return answer;
    } finally {
      for (const turn of turns) turn.end();
    }
  }

  private pass(job: string): void {
    const turns = this.turns.get(job)!;
    while (turns[0]?.isOver) for (const event of turns.shift()!.events) this.call('local', event);
    if (turns.length === 0) this.turns.delete(job);
  }

  private call(scope: JobEventScope, event: JobEvent): void {
    if (this.isClosed) return;
    Object.freeze(event);
    for (const listener of this.listeners[scope]) {
      if (!listener.fits(event.event, event.task)) continue;
      if (!this.isUp && this.waiting.length >= MOST_EARLY) return;
      this.waiting.push([listener, event]);
      if (this.isUp && this.waiting.length === 1) this.callSoon();
    }
  }

  private get all(): EventListener[] {
    return [...this.listeners.local, ...this.listeners.fleet];
  }

  private callSoon(): void {
    if (this.waiting.length > 0) setImmediate(() => this.callAll());
  }

  private callAll(): void {
    const calls = this.waiting;
    this.waiting = [];
    this.outside.runInAsyncScope(() => {
      for (const [listener, event] of calls) listener.call(event);
    });
  }
}
