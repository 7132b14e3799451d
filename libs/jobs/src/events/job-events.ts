import { AsyncResource } from 'node:async_hooks';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { settlesWithin } from '../backend/with-timeout.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import type { EventListener, ListenerCounts } from './event-listener.js';
import type { JobEvent, JobEventName } from './job-event.js';
import type { JobEventScope } from './listener-metadata.js';
import { enqueuedEvent, type SentJob } from './told-events.js';

/** Calls that wait for the app to be up. */
const MOST_EARLY = 10_000;

/** Tells listeners what happens to jobs, beside whatever is doing it. @internal */
@Injectable()
export class JobEvents implements OnApplicationBootstrap {
  private readonly listeners: Record<JobEventScope, EventListener[]> = { local: [], fleet: [] };
  private readonly wanted: Record<JobEventScope, Set<JobEventName>> = { local: new Set(), fleet: new Set() };
  /** Neither of the job nor of the request in which something happens. */
  private readonly outside = new AsyncResource('JobEvents');
  /** What happens to jobs that are being sent, by their ids. */
  private readonly held = new Map<string, JobEvent[]>();
  private waiting: [listener: EventListener, event: JobEvent][] = [];
  private isUp = false;
  private isClosed = false;
  /** Whether anybody wants to hear of what this process does; else nothing is made ready to be told. */
  hasLocal = false;
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

  /** Comes back at once: whoever tells it is in the middle of something. */
  tell(scope: JobEventScope, event: JobEvent): void {
    const held = scope === 'local' ? this.held.get(event.id) : undefined;
    if (held) held.push(event);
    else this.pass(scope, event);
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
    for (const { id } of jobs) if (!this.held.has(id)) this.held.set(id, []);
    try {
      const answer = await send();
      for (const [n, job] of jobs.entries()) {
        if (job.queue !== INTERNAL_QUEUE && isNew(answer, n)) this.pass('local', enqueuedEvent(job, at));
      }
      return answer;
    } finally {
      for (const { id } of jobs) {
        for (const event of this.held.get(id) ?? []) this.pass('local', event);
        this.held.delete(id);
      }
    }
  }

  private pass(scope: JobEventScope, event: JobEvent): void {
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
