import { setTimeout as sleep } from 'node:timers/promises';
import type { LineListener, MessageLine } from '../fleet-messages.js';
import type { ChannelListener, SqlPool } from './sql-pool.js';

const FIRST_RETRY = 100;
const SLOWEST_RETRY = 2_000;

/** One channel of NOTIFY for all of a namespace: its name is part of a database's, and short. @internal */
export class SqlMessageLine implements MessageLine {
  private readonly channel: string;

  constructor(
    private readonly pool: SqlPool,
    schema: string,
  ) {
    this.channel = `${schema}_messages`;
  }

  async send(payload: string): Promise<void> {
    await this.pool.query('SELECT pg_notify($1, $2)', [this.channel, payload]);
  }

  listen(listener: LineListener): () => void {
    const ended = new AbortController();
    void this.begin(listener, ended.signal);
    return () => ended.abort();
  }

  /** Once it listens, the pool sees to it that it goes on. */
  private async begin(listener: LineListener, ended: AbortSignal): Promise<void> {
    const onChannel: ChannelListener = {
      isWatched: true,
      onNotify: (payload) => void (ended.aborted || listener.onPayload(payload)),
      onInterrupted: () => void (ended.aborted || listener.onDown()),
      onRestored: () => void (ended.aborted || listener.onUp()),
    };
    for (let wait = FIRST_RETRY; !ended.aborted; wait = Math.min(wait * 2, SLOWEST_RETRY)) {
      const unlisten = await this.pool.listen(this.channel, onChannel).catch(() => undefined);
      if (unlisten) {
        const end = (): void => void unlisten().catch(() => undefined);
        if (ended.aborted) return end();
        ended.addEventListener('abort', end, { once: true });
        return listener.onUp();
      }
      await sleep(wait, undefined, { signal: ended, ref: false }).catch(() => undefined);
    }
  }
}
