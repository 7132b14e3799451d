import { EventEmitter } from 'node:events';
import { PostgresConnection, type PgNotification, type PgQueryResult } from 'bullmq';
import type { SqlPool } from './sql-pool.js';

/** BullMQ does not export the type of what it listens with. */
type PgListenClient = Awaited<ReturnType<PostgresConnection['getListenClient']>>;

/**
 * BullMQ's connection object over our pool. It differs from BullMQ's own in two ways that a pool alone cannot bring:
 * the schema is the namespace (BullMQ gives every pool the schema `bullmq`), and LISTEN goes through the one listener
 * that the pool shares, where BullMQ would take a pooled connection for each queue, worker and QueueEvents, and with
 * five queues hang on a pool of ten.
 *
 * @internal
 */
export class SqlConnection extends PostgresConnection {
  override readonly schema: string;
  private readonly listener: SharedListener;
  private isReleased = false;

  constructor(pool: SqlPool, schema: string) {
    super(pool);
    this.schema = schema;
    this.listener = new SharedListener(pool, () => this.emit('listenerinvalidated'));
  }

  /** Whoever opened the pool made it ready. BullMQ would remember a first attempt that failed, and never try again. */
  override async waitUntilReady(): Promise<void> {}

  override getListenClient(): Promise<PgListenClient> {
    // Never settles once closed: BullMQ would begin a wait that nothing ends but its timer, up to an hour later.
    return this.isReleased ? new Promise(() => {}) : Promise.resolve(this.listener);
  }

  /** The shared listener notices a dropped connection itself, so workers may wait long. */
  override get hasListenClientKeepAlive(): boolean {
    return true;
  }

  /** BullMQ names connections so that `getWorkers()` can list them; a shared one has no single name. */
  override async setListenClientName(): Promise<void> {}

  override async close(): Promise<void> {
    this.isReleased = true;
    this.emit('listenerinvalidated');
    await this.listener.release();
    await super.close();
    // A wait that had its client already begins in the same turn of the event loop.
    await new Promise(setImmediate);
    this.emit('listenerinvalidated');
  }
}

/** One BullMQ object's part of the shared listener: it answers BullMQ's `LISTEN` statements and passes notices on. */
class SharedListener
  extends EventEmitter<{ notification: [PgNotification]; error: [Error]; end: [] }>
  implements PgListenClient
{
  private readonly channels = new Map<string, Promise<() => Promise<void>>>();

  constructor(
    private readonly pool: SqlPool,
    private readonly onRestored: () => void,
  ) {
    super();
  }

  async query<R>(text: string): Promise<PgQueryResult<R>> {
    const channel = /^\s*LISTEN\s+(\w+)\s*;?\s*$/im.exec(text)?.[1];
    if (!channel) throw new Error(`nestjs-jobs: BullMQ sent an unexpected statement to its listener: ${text}`);
    let listening = this.channels.get(channel);
    if (!listening) {
      const onNotify = (payload: string): void => void this.emit('notification', { channel, payload });
      listening = this.pool.listen(channel, { onNotify, onRestored: this.onRestored });
      this.channels.set(channel, listening);
      listening.catch(() => this.channels.delete(channel));
    }
    await listening;
    return { rows: [] };
  }

  async release(): Promise<void> {
    this.removeAllListeners();
    const channels = [...this.channels.values()];
    this.channels.clear();
    for (const listening of await Promise.allSettled(channels)) {
      if (listening.status === 'fulfilled') await listening.value();
    }
  }
}
