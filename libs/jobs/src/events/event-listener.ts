import { Logger } from '@nestjs/common';
import { taskPattern, type TaskPattern } from '../options/task-pattern.js';
import { describeError } from '../retry/attempt-record.js';
import { isStatic, resolveFor } from '../task/provider-instance.js';
import type { ProviderWrapper } from '../task/task-definition.js';
import type { JobEvent, JobEventName } from './job-event.js';
import type { JobEventScope, ListenerRule } from './listener-metadata.js';

/** Calls of one listener that have not ended. */
const MOST_CALLS = 1_000;
/** For so long (ms) an error of one name is logged once. */
const SILENT_FOR = 60_000;
/** Names of errors that are told apart. */
const MOST_NAMES = 100;

interface Silence {
  readonly until: number;
  unsaid: number;
}

type Methods = Record<string, (event: JobEvent) => unknown>;

/** Where a listener's method is. @internal */
export interface ListenerMethod {
  readonly provider: ProviderWrapper;
  readonly method: string;
  /** `ClassName.method in ModuleName`, for messages. */
  readonly place: string;
}

/** What became of the calls of a listener. @internal */
export interface ListenerCounts {
  readonly place: string;
  /** Calls that threw or rejected. */
  readonly errors: number;
  /** Events that it was not told of, because too many calls had not ended. */
  readonly dropped: number;
  /** Calls that have not ended. */
  readonly running: number;
}

/** A method with `@OnJobEvent`, and what it hears of. Whatever it does is nobody else's affair. @internal */
export class EventListener {
  readonly events: readonly JobEventName[];
  readonly scope: JobEventScope;
  private readonly logger = new Logger('Jobs');
  private readonly tasks: readonly TaskPattern[] | null;
  private readonly calls = new Set<Promise<void>>();
  private readonly silences = new Map<string, Silence>();
  private errors = 0;
  private dropped = 0;
  private isOverrun = false;

  constructor(
    private readonly listener: ListenerMethod,
    { events, scope, tasks }: ListenerRule,
  ) {
    this.events = events;
    this.scope = scope;
    this.tasks = tasks && tasks.map(taskPattern);
  }

  fits(event: JobEventName, task: string): boolean {
    return this.events.includes(event) && (!this.tasks || this.tasks.some((pattern) => pattern.test(task)));
  }

  get counts(): ListenerCounts {
    const { errors, dropped } = this;
    return { place: this.listener.place, errors, dropped, running: this.calls.size };
  }

  /** Never throws, and waits for nothing. */
  call(event: JobEvent): void {
    if (this.calls.size >= MOST_CALLS) return this.drop();
    let answer: unknown;
    try {
      answer = this.invoke(event);
      // A getter may throw, and so may a proxy.
      if (!isThenable(answer)) return;
    } catch (error) {
      return this.failed(event, error);
    }
    const call: Promise<void> = Promise.resolve(answer)
      .then(
        () => {},
        (error: unknown) => this.failed(event, error),
      )
      .then(() => this.ended(call));
    this.calls.add(call);
  }

  /** Resolves when all calls have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.calls);
  }

  private invoke(event: JobEvent): unknown {
    const { provider, method } = this.listener;
    if (isStatic(provider)) return (provider.instance as Methods)[method]!(event);
    return resolveFor(provider, event).then(({ instance }) => (instance as Methods)[method]!(event));
  }

  private ended(call: Promise<void>): void {
    this.calls.delete(call);
    if (this.calls.size < MOST_CALLS / 2) this.isOverrun = false;
  }

  private drop(): void {
    this.dropped++;
    if (this.isOverrun) return;
    this.isOverrun = true;
    this.logger.warn(
      `${MOST_CALLS} calls of the listener ${this.listener.place} have not ended. ` +
        'It is told of nothing more until some have: what it waits for may hang.',
    );
  }

  private failed(event: JobEvent, error: unknown): void {
    this.errors++;
    const { name, message } = describeError(error);
    const now = performance.now();
    const silence = this.silences.get(name);
    if (silence && now < silence.until) {
      silence.unsaid++;
      return;
    }
    if (this.silences.size >= MOST_NAMES) this.silences.clear();
    this.silences.set(name, { until: now + SILENT_FOR, unsaid: 0 });
    const others = silence && silence.unsaid > 0 ? ` (${silence.unsaid} more since it was last said)` : '';
    this.logger.error(
      `The listener ${this.listener.place} failed, told "${event.event}" of job ${event.id}. ` +
        `${name}: ${message}${others}`,
    );
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
