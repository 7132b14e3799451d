import type { LedgerValue } from './ledger.js';

/** @internal */
export interface FleetMessages {
  publish(channel: string, message: LedgerValue): Promise<void>;
  subscribe(channel: string, listener: (message: unknown) => void): () => void;
}

/** STAND-IN */
export class LocalMessages implements FleetMessages {
  private readonly listeners = new Map<string, Set<(message: unknown) => void>>();
  async publish(channel: string, message: LedgerValue): Promise<void> {
    for (const listener of this.listeners.get(channel) ?? []) setImmediate(() => listener(message));
  }
  subscribe(channel: string, listener: (message: unknown) => void): () => void {
    let all = this.listeners.get(channel);
    if (!all) this.listeners.set(channel, (all = new Set()));
    all.add(listener);
    return () => all.delete(listener);
  }
}
