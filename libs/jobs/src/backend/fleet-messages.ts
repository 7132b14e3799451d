import type { BackendLogger } from './backend-logger.js';
import { BackendUnavailableError } from './backend.errors.js';
import { encodeChannel, encodePayload, splitPayload } from './message-payload.js';
import type { QueueBackend } from './queue-backend.js';
import { withTimeout } from './with-timeout.js';

const PUBLISH_TIMEOUT = 5_000;

/** Gets what somebody published. It is from another process, maybe of another version: check it before use. @internal */
export type MessageListener = (message: unknown) => void | Promise<void>;

/** @internal */
export interface ChannelSubscription {
  /**
   * Resolves when what is published from then on will be heard; while the store is away, when it is back. Never rejects,
   * and stays as it is when the subscription is ended first.
   */
  readonly inEffect: Promise<void>;
  /** From now on the listener is not called. */
  unsubscribe(): void;
}

/** What a {@link MessageLine} tells. @internal */
export interface LineListener {
  onPayload(payload: string): void;
  /** From now on payloads are heard, for the first time or again. */
  onUp(): void;
  /** From now on none is heard. What is not known yet is not told. */
  onDown(): void;
}

/** How a store carries payloads to every process of the namespace. @internal */
export interface MessageLine {
  /** Resolves when the store has it. The next one comes after it. */
  send(payload: string): Promise<void>;
  /** Listens, and keeps trying to, until the returned function is called; then the listener is told nothing more. */
  listen(listener: LineListener): () => void;
}

/**
 * Small messages from one process to every live process of the namespace that listens, itself included.
 *
 * A message is a hint: it comes at most once, and whoever was not there or not connected never gets it. So what must not
 * be missed is written to the store first, and read again when {@link FleetMessages.subscribe} says that it was deaf.
 * Messages of one process come in the order in which it published them, if it awaited each.
 * @internal
 */
export class FleetMessages {
  /** By the name as payloads have it. */
  private readonly channels = new Map<string, Set<Subscription>>();
  private hangUp: (() => void) | undefined;
  private isUp = false;
  private isClosed = false;

  constructor(
    private readonly store: Pick<QueueBackend, 'location' | 'whenReady' | 'isConnectionError'>,
    private readonly line: MessageLine,
    private readonly logger: BackendLogger,
  ) {}

  /**
   * Resolves when the store has the message; that somebody hears it is not said.
   *
   * @param channel - any well-formed string but the empty one. It is of this namespace.
   * @param message - what JSON can carry. With the channel's name it takes at most 7,900 bytes.
   * @param timeout - milliseconds. It waits this long for a store that is away.
   * @throws {BackendUnavailableError} when the store does not take it in time. It may be delivered all the same if it was
   * sent and not answered.
   * @throws {InvalidFleetMessageError} {@link FleetMessageTooLargeError}
   */
  async publish(channel: string, message: unknown, timeout = PUBLISH_TIMEOUT): Promise<void> {
    const payload = encodePayload(channel, message);
    const { location } = this.store;
    const sent = this.store.whenReady(timeout).then(() => this.line.send(payload));
    try {
      await withTimeout(sent, timeout, () => new BackendUnavailableError(location, timeout));
    } catch (error) {
      if (error instanceof BackendUnavailableError || !this.store.isConnectionError(error)) throw error;
      throw new BackendUnavailableError(location, timeout, error);
    }
  }

  /**
   * Takes effect as soon as the store is there, and again each time that it is back. The first subscription of a process
   * opens what it takes to listen, the end of the last one closes it.
   *
   * @param listener - what it throws is logged. It has a copy of the message for itself.
   * @param onResumed - called when messages are heard again after a time in which some may have been lost.
   * @throws {InvalidFleetMessageError} when this is no name of a channel.
   */
  subscribe(channel: string, listener: MessageListener, onResumed?: () => void): ChannelSubscription {
    const name = encodeChannel(channel);
    const subscription = new Subscription(channel, listener, onResumed);
    const subscriptions = this.channels.get(name) ?? new Set();
    this.channels.set(name, subscriptions.add(subscription));
    if (this.isUp) subscription.begin();
    else this.pickUp();
    return { inEffect: subscription.inEffect, unsubscribe: () => this.remove(name, subscription) };
  }

  close(): void {
    this.isClosed = true;
    this.channels.clear();
    this.putDown();
  }

  private remove(name: string, subscription: Subscription): void {
    const subscriptions = this.channels.get(name);
    if (!subscriptions?.delete(subscription) || subscriptions.size > 0) return;
    this.channels.delete(name);
    if (this.channels.size === 0) this.putDown();
  }

  private pickUp(): void {
    if (this.isClosed) return;
    this.hangUp ??= this.line.listen({
      onPayload: (payload) => this.deliver(payload),
      onUp: () => this.begin(),
      onDown: () => (this.isUp = false),
    });
  }

  private putDown(): void {
    this.hangUp?.();
    this.hangUp = undefined;
    this.isUp = false;
  }

  private begin(): void {
    this.isUp = true;
    for (const subscription of [...this.channels.values()].flatMap((each) => [...each])) {
      this.guard(subscription, () => subscription.begin());
    }
  }

  /** Anybody who can reach the store can send anything. */
  private deliver(payload: string): void {
    const { channel, json } = splitPayload(payload) ?? {};
    if (channel === undefined || json === undefined) return this.drop('it is too large or no message of ours');
    const subscriptions = this.channels.get(channel);
    if (!subscriptions) return;
    // A listener may subscribe others, which are not meant yet.
    const listening = [...subscriptions];
    for (const subscription of listening) {
      let message: unknown;
      try {
        message = JSON.parse(json);
      } catch {
        return this.drop('it is no JSON');
      }
      // A listener before it may have ended it.
      if (subscriptions.has(subscription)) this.guard(subscription, () => subscription.listener(message));
    }
  }

  private drop(reason: string): void {
    this.logger.debug?.(`A message from the fleet was dropped: ${reason}.`);
  }

  private guard({ channel }: Subscription, call: () => void | Promise<void>): void {
    const report = (error: unknown): void => {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.logger.error(`A listener of the channel ${JSON.stringify(channel)} failed: ${what}`);
    };
    try {
      Promise.resolve(call()).catch(report);
    } catch (error) {
      report(error);
    }
  }
}

class Subscription {
  readonly inEffect: Promise<void>;
  private take!: () => void;
  private hasBegun = false;

  constructor(
    readonly channel: string,
    readonly listener: MessageListener,
    private readonly onResumed: (() => void) | undefined,
  ) {
    this.inEffect = new Promise((resolve) => (this.take = resolve));
  }

  begin(): void {
    if (this.hasBegun) return this.onResumed?.();
    this.hasBegun = true;
    this.take();
  }
}
