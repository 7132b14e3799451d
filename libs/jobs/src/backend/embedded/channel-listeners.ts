import type { ChannelListener } from '../sql/sql-pool.js';

/** One channel with at least one listener. */
interface Channel {
  readonly listeners: Set<ChannelListener>;
  readonly listening: Promise<unknown>;
}

/** Shares one LISTEN among all listeners of a channel. @internal */
export class ChannelListeners {
  private readonly channels = new Map<string, Channel>();

  constructor(private readonly execute: (text: string) => Promise<unknown>) {}

  async listen(name: string, listener: ChannelListener): Promise<() => Promise<void>> {
    const channel = this.channels.get(name) ?? this.open(name);
    channel.listeners.add(listener);
    await channel.listening;
    return async () => {
      if (!channel.listeners.delete(listener) || channel.listeners.size > 0) return;
      this.channels.delete(name);
      await this.execute(`UNLISTEN ${quoteIdentifier(name)}`);
    };
  }

  deliver(name: string, payload: string): void {
    for (const listener of this.channels.get(name)?.listeners ?? []) listener.onNotify(payload);
  }

  private open(name: string): Channel {
    const listening = this.execute(`LISTEN ${quoteIdentifier(name)}`);
    const channel = { listeners: new Set<ChannelListener>(), listening };
    this.channels.set(name, channel);
    listening.catch(() => this.channels.delete(name));
    return channel;
  }
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
