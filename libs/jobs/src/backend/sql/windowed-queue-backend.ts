import { PostgresQueueBackend, type PgNotification } from 'bullmq';
import { EventWindow, type StoredEvent } from './event-window.js';

const CHANNEL = 'bullmq_events';

/**
 * A committer may skip its NOTIFY while another transaction of the queue has sent one and is not committed yet; what the
 * skipping one wrote can appear after everybody was woken. So after each sign of life there are a few more looks (ms).
 */
const LOOK_AGAIN_AFTER = [10, 50, 250, 1_000];
/** And one in a while without any sign: somebody's long transaction keeps all others from sending one. */
const LOOK_EVERY = 2_000;
/** After a lost connection (ms); BullMQ would wait five seconds, even while it closes. */
const RECONNECT_AFTER = 250;

type Entries = Awaited<ReturnType<PostgresQueueBackend['readEvents']>>;

/** BullMQ's Postgres backend that reads events through an {@link EventWindow}. @internal */
export class WindowedQueueBackend extends PostgresQueueBackend {
  private window: EventWindow | undefined;
  private emptyReads = 0;
  private endWait: (() => void) | undefined;

  /** Seconds, as on Redis. BullMQ would let a worker sleep for an hour where it trusts its listening connection. */
  override get maximumBlockTimeout(): number {
    return 10;
  }

  /** Whence to read is the window's own affair. */
  override async readEvents(): Promise<Entries> {
    if (this.isStopping()) return null;
    try {
      const listener = await this.connection.getListenClient();
      await listener.query(`LISTEN ${CHANNEL};`);
      this.window ??= await EventWindow.open(this.connection.pool, this.queueName);
      let events = await this.window.next();
      if (events.length === 0) {
        await this.waitForNotice(LOOK_AGAIN_AFTER[this.emptyReads++] ?? LOOK_EVERY);
        if (this.isStopping()) return null;
        events = await this.window.next();
      }
      if (events.length === 0) return null;
      this.emptyReads = 0;
      return [['events', events.map(toStreamEntry)]] as Entries;
    } catch (error) {
      if (this.isStopping()) return null;
      if ((error as { code?: unknown }).code !== 'ECONNREFUSED') throw error;
      await this.waitForNotice(RECONNECT_AFTER);
      return null;
    }
  }

  override async disconnect(): Promise<void> {
    this.endWait?.();
    await super.disconnect();
  }

  private isStopping(): boolean {
    return Boolean(this.closing ?? this.connection.isClosing);
  }

  private async waitForNotice(timeout: number): Promise<void> {
    const listener = await this.connection.getListenClient();
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        listener.removeListener('notification', onNotice);
        this.connection.off('listenerinvalidated', finish);
        this.endWait = undefined;
        resolve();
      };
      const onNotice = ({ channel, payload }: PgNotification): void => {
        if (channel !== CHANNEL || payload !== this.queueName) return;
        this.emptyReads = 0;
        finish();
      };
      const timer = setTimeout(finish, timeout);
      this.endWait = finish;
      listener.on('notification', onNotice);
      this.connection.on('listenerinvalidated', finish);
    });
  }
}

/** As Redis gives the entries of a stream: names and values in turn. */
function toStreamEntry({ id, event, data }: StoredEvent): [string, string[]] {
  const fields = Object.entries(data ?? {}).flatMap(([key, value]) => [key, String(value)]);
  return [id, ['event', event, ...fields]];
}
