import { isDeepStrictEqual } from 'node:util';
import type { ChannelSubscription } from '../../libs/jobs/src/backend/fleet-messages.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { eventually } from './eventually.js';

/** Keeps what one listener of a channel heard. */
export class Inbox {
  readonly received: unknown[] = [];
  /** How often it was told that it may have missed something. */
  resumed = 0;
  readonly subscription: ChannelSubscription;

  private constructor(backend: QueueBackend, channel: string) {
    this.subscription = backend.messages.subscribe(
      channel,
      (message) => void this.received.push(message),
      () => void this.resumed++,
    );
  }

  static of(backend: QueueBackend, channel: string): Inbox {
    return new Inbox(backend, channel);
  }

  async has(message: unknown): Promise<void> {
    await eventually(() => this.received.some((each) => isDeepStrictEqual(each, message)));
  }
}
