import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ClientBase } from 'pg';
import type { ChannelListener } from '../sql/sql-pool.js';
import { settlesWithin, succeedsWithin } from '../with-timeout.js';
import { PostgresConnectionLostError } from './postgres-errors.js';

const FIRST_RETRY = 100;
const SLOWEST_RETRY = 2_000;
const PROBE_EVERY = 10_000;
const PROBE_LIMIT = 5_000;
/** Postgres 14 and later can end sessions that say nothing for long, which a listening one does by nature. */
const STAY = `SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'`;

/** One channel of the server, with everybody who listens to it. */
interface Channel {
  readonly listeners: Set<ChannelListener>;
  /** Settles when the connection of now listens to it. */
  listening: Promise<unknown> | undefined;
}

/**
 * The one LISTEN connection of a process, outside of the pool. When it drops it is made anew, listens to the same
 * channels, and tells every listener that it may have missed something.
 *
 * @internal
 */
export class ListenConnection {
  private readonly channels = new Map<string, Channel>();
  private readonly ended = new AbortController();
  private client: Promise<Client> | undefined;
  /** The same, from the moment on that it begins to connect. */
  private socket: Client | undefined;
  /** node-postgres wants one statement at a time. */
  private lastStatement: Promise<unknown> = Promise.resolve();
  private restoring: Promise<void> | undefined;
  /** The client, from the moment on that it is connected until its end. */
  private live: Client | undefined;
  private watching: NodeJS.Timeout | undefined;
  private isProbing = false;

  constructor(
    private readonly createClient: () => Client,
    private readonly onLost: (error: Error) => void,
  ) {}

  async listen(name: string, listener: ChannelListener): Promise<() => Promise<void>> {
    const channel = this.channels.get(name) ?? { listeners: new Set(), listening: undefined };
    this.channels.set(name, channel);
    channel.listeners.add(listener);
    if (listener.isWatched) this.watch();
    try {
      await this.listenTo(name, channel);
    } catch (error) {
      channel.listeners.delete(listener);
      throw error;
    }
    // The channel stays listened to: it costs nothing, and the next listener finds it open.
    return async () => void channel.listeners.delete(listener);
  }

  async end(): Promise<void> {
    this.ended.abort();
    clearInterval(this.watching);
    this.channels.clear();
    const client = await this.client?.catch(() => undefined);
    await client?.end().catch(() => undefined);
  }

  /** Without a word to a server that may not answer. */
  destroy(): void {
    if (this.socket) destroyClient(this.socket);
  }

  /** True when the connection did not answer within `timeout` ms and was closed. */
  async rebuildSilent(timeout: number): Promise<boolean> {
    const { socket } = this;
    if (!socket || !this.client || this.restoring) return false;
    if (await settlesWithin(timeout, this.execute('SELECT 1'))) return false;
    destroyClient(socket);
    return true;
  }

  private listenTo(name: string, channel: Channel): Promise<unknown> {
    if (!channel.listening) {
      const listening = this.execute(`LISTEN "${name}"`);
      channel.listening = listening;
      listening.catch(() => {
        if (channel.listening === listening) channel.listening = undefined;
      });
    }
    return channel.listening;
  }

  private watch(): void {
    this.watching ??= setInterval(() => void this.probe(), PROBE_EVERY).unref();
  }

  /** A server or network that went away without a word is known by nothing else. */
  private async probe(): Promise<void> {
    const { live } = this;
    if (!live || this.isProbing) return;
    if (![...this.channels.values()].some(({ listeners }) => [...listeners].some(({ isWatched }) => isWatched))) {
      clearInterval(this.watching);
      this.watching = undefined;
      return;
    }
    this.isProbing = true;
    const isAnswered = await succeedsWithin(PROBE_LIMIT, this.execute('SELECT 1'));
    this.isProbing = false;
    // Its end brings the next one.
    if (!isAnswered && this.live === live) destroyClient(live);
  }

  private execute(text: string): Promise<unknown> {
    const executed = this.lastStatement.then(async () => {
      const client = await this.connected();
      await client.query(text).catch((error: unknown) => {
        // It is of no use, and a new one will be made once it has ended.
        destroyClient(client);
        throw error;
      });
    });
    this.lastStatement = executed.catch(() => undefined);
    return executed;
  }

  private connected(): Promise<Client> {
    if (this.ended.signal.aborted) {
      return Promise.reject(new PostgresConnectionLostError(new Error('the app is closing')));
    }
    if (!this.client) {
      const connecting = this.connect();
      this.client = connecting;
      connecting.catch(() => {
        if (this.client === connecting) this.client = undefined;
      });
    }
    return this.client;
  }

  private async connect(): Promise<Client> {
    const client = this.createClient();
    this.socket = client;
    client.on('notification', ({ channel, payload = '' }) => {
      for (const listener of this.channels.get(channel)?.listeners ?? []) listener.onNotify(payload);
    });
    // Without a listener an error would end the process; 'end' follows it.
    client.on('error', () => undefined);
    let state: 'connecting' | 'connected' | 'ended' = 'connecting';
    client.once('end', () => {
      if (this.live === client) this.live = undefined;
      if (state === 'connected') this.restart();
      state = 'ended';
    });
    try {
      await client.connect();
      await client.query(STAY);
    } catch (error) {
      destroyClient(client);
      throw error;
    }
    if ((state as string) === 'ended') throw new PostgresConnectionLostError(new Error('Connection terminated'));
    state = 'connected';
    this.live = client;
    return client;
  }

  private restart(): void {
    if (this.ended.signal.aborted) return;
    this.client = undefined;
    for (const channel of this.channels.values()) {
      channel.listening = undefined;
      for (const each of channel.listeners) each.onInterrupted?.();
    }
    this.restoring ??= this.restore().finally(() => (this.restoring = undefined));
  }

  private async restore(): Promise<void> {
    const { signal } = this.ended;
    for (let wait = FIRST_RETRY; !signal.aborted; wait = Math.min(wait * 2, SLOWEST_RETRY)) {
      await sleep(wait, undefined, { signal }).catch(() => undefined);
      try {
        return await this.listenToAll();
      } catch (error) {
        // A connection that was cut and made again is nobody's concern.
        if (!signal.aborted) this.onLost(error as Error);
      }
    }
  }

  private async listenToAll(): Promise<void> {
    for (const [name, channel] of this.channels) await this.listenTo(name, channel);
    for (const { listeners } of this.channels.values()) for (const each of listeners) each.onRestored?.();
  }
}

/** @internal */
export function destroyClient(client: ClientBase): void {
  (client as { connection?: { stream?: { destroy?(): void } } }).connection?.stream?.destroy?.();
}
