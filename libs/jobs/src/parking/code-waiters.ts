import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { ChannelSubscription } from '../backend/fleet-messages.js';
import type { QueueBackend } from '../backend/queue-backend.js';

/** On which the processes of the fleet are told who is called. */
const CHANNEL = 'called';
const CALLED = 'called';
/** Ids that fit into one message to the fleet. */
const IN_A_MESSAGE = 100;
/** Messages may be lost. */
const LOOK_AGAIN = 2_000;
const LOOK_AGAIN_WHILE_DEAF = 100;

/** Who stands in a line and is no job. @internal */
export class CodeWaiter extends EventTarget {
  /** Without an underscore: it is no job's. */
  readonly id = `code-${randomUUID()}`;
  private wasCalled = false;

  call(): void {
    this.wasCalled = true;
    this.dispatchEvent(new Event(CALLED));
  }

  /**
   * Resolves when it was called since the last time, and when `timeout` ms are over.
   *
   * @throws the reason of the signal.
   */
  async untilCalled(timeout: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (!this.wasCalled) {
      // With AbortSignal.any and AbortSignal.timeout the garbage collector of Node 20 takes the timeout: it never comes.
      const waiting = new AbortController();
      const end = (): void => waiting.abort();
      const timer = setTimeout(end, timeout).unref();
      signal?.addEventListener('abort', end, { once: true });
      await once(this, CALLED, { signal: waiting.signal }).catch(() => undefined);
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      signal?.throwIfAborted();
    }
    this.wasCalled = false;
  }
}

/** Calls code that waits in a line, in whichever process it does. A hint: who is not reached asks by itself, later. @internal */
@Injectable()
export class CodeWaiters {
  private readonly logger = new Logger('Jobs');
  private readonly waiting = new Map<string, CodeWaiter>();
  /** From the first waiter on. */
  private subscription: ChannelSubscription | undefined;
  private isHearing = false;

  constructor(@Inject(QUEUE_BACKEND) private readonly backend: QueueBackend) {}

  enter(): CodeWaiter {
    const waiter = new CodeWaiter();
    this.waiting.set(waiter.id, waiter);
    return waiter;
  }

  leave(waiter: CodeWaiter): void {
    this.waiting.delete(waiter.id);
  }

  /**
   * From now on, waiters are called by other processes too.
   *
   * @returns how long (ms) they should rely on that.
   */
  listen(): number {
    if (!this.subscription) {
      this.subscription = this.backend.messages.subscribe(CHANNEL, (message) => {
        if (Array.isArray(message)) for (const id of message) this.waiting.get(id as string)?.call();
      });
      void this.subscription.inEffect.then(() => (this.isHearing = true));
    }
    return this.isHearing ? LOOK_AGAIN : LOOK_AGAIN_WHILE_DEAF;
  }

  async call(ids: readonly string[]): Promise<void> {
    const elsewhere: string[] = [];
    for (const id of ids) {
      const waiter = this.waiting.get(id);
      if (waiter) waiter.call();
      else elsewhere.push(id);
    }
    for (let n = 0; n < elsewhere.length; n += IN_A_MESSAGE) {
      try {
        await this.backend.messages.publish(CHANNEL, elsewhere.slice(n, n + IN_A_MESSAGE));
      } catch (error) {
        this.logger.debug(`Could not tell who is called: ${(error as Error).message}`);
      }
    }
  }
}
