import { setTimeout as sleep } from 'node:timers/promises';
import { PostgresQueueBackend, type PgNotification } from 'bullmq';
import { settlesWithin } from '../with-timeout.js';
import { EventWindow, type StoredEvent } from './event-window.js';

const EVENTS = 'bullmq_events';
const JOBS = 'bullmq_jobs';

/**
 * A committer may skip its NOTIFY while another transaction of the queue has sent one and is not committed yet; what the
 * skipping one wrote can appear after everybody was woken. So after each sign of life there are a few more looks (ms).
 */
const LOOK_AGAIN_AFTER = [10, 50, 250, 1_000];
/** And one in a while without any sign: somebody's long transaction keeps all others from sending one. */
const LOOK_EVERY = 2_000;
/** After a lost connection (ms); BullMQ would wait five seconds, even while it closes. */
const RECONNECT_AFTER = 250;
/** Where nobody can listen, workers ask for jobs this often (ms). */
const ASK_EVERY = 1_000;
/** After so many vain looks in a row for a job that is there, a worker asks whether the queue runs all that it may. */
const VAIN_LOOKS = 2;
/** How often (ms) it then looks whether there is room. Nobody tells. */
const LOOK_FOR_ROOM_EVERY = 250;

type Entries = Awaited<ReturnType<PostgresQueueBackend['readEvents']>>;
type Marker = Awaited<ReturnType<PostgresQueueBackend['waitForJob']>>;

/**
 * BullMQ's Postgres backend that reads events through an {@link EventWindow}, and whose workers work on while nobody can
 * listen.
 *
 * @internal
 */
export class WindowedQueueBackend extends PostgresQueueBackend {
  private window: EventWindow | undefined;
  private interruption = new AbortController();
  private emptyReads = 0;
  private wasNoticed = false;
  private isSubscribed = false;
  private endWait: (() => void) | undefined;
  private vainLooks = 0;

  /** Seconds, as on Redis. BullMQ would let a worker sleep for an hour where it trusts its listening connection. */
  override get maximumBlockTimeout(): number {
    return 10;
  }

  /** BullMQ waits without limit for its LISTEN, and when that fails its worker fetches no more. */
  override async waitForJob(blockTimeout: number): Promise<Marker> {
    // BullMQ ends every wait at once while jobs wait, also for a place among those that the fleet may run.
    if (this.vainLooks > VAIN_LOOKS) {
      if (await this.isMaxed()) {
        await sleep(LOOK_FOR_ROOM_EVERY, undefined, { signal: this.interruption.signal }).catch(() => undefined);
        return null;
      }
      this.vainLooks = 0;
    }
    let isListening = false;
    await settlesWithin(
      ASK_EVERY,
      this.listenTo(JOBS).then(() => (isListening = true)),
    );
    if (isListening) return this.countVain(await super.waitForJob(blockTimeout));
    await sleep(ASK_EVERY, undefined, { signal: this.interruption.signal }).catch(() => undefined);
    return null;
  }

  override async moveToActive(
    ...fetch: Parameters<PostgresQueueBackend['moveToActive']>
  ): ReturnType<PostgresQueueBackend['moveToActive']> {
    const fetched = await super.moveToActive(...fetch);
    if (fetched[0]) this.vainLooks = 0;
    return fetched;
  }

  override async disconnectBlocking(wait?: boolean): Promise<void> {
    this.interruption.abort();
    await super.disconnectBlocking(wait);
  }

  override async reconnectBlocking(): Promise<void> {
    this.interruption = new AbortController();
    await super.reconnectBlocking();
  }

  /** Whence to read is the window's own affair. */
  override async readEvents(): Promise<Entries> {
    if (this.isStopping()) return null;
    try {
      await this.subscribe();
      this.window ??= await EventWindow.open(this.connection.pool, this.queueName);
      let events = await this.look();
      if (events.length === 0) {
        await this.waitForNotice(LOOK_AGAIN_AFTER[this.emptyReads++] ?? LOOK_EVERY);
        if (this.isStopping()) return null;
        events = await this.look();
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
    this.interruption.abort();
    this.endWait?.();
    await super.disconnect();
  }

  private countVain(marker: Marker): Marker {
    this.vainLooks = marker ? this.vainLooks + 1 : 0;
    return marker;
  }

  private isStopping(): boolean {
    return Boolean(this.closing ?? this.connection.isClosing);
  }

  private async listenTo(channel: string): Promise<void> {
    const listener = await this.connection.getListenClient();
    await listener.query(`LISTEN ${channel};`);
  }

  /** Where nobody can listen, events are read all the same, only later. */
  private async subscribe(): Promise<void> {
    if (this.isSubscribed) return;
    await settlesWithin(ASK_EVERY, this.listenTo(EVENTS));
    if (this.isStopping()) return;
    const listener = await this.connection.getListenClient();
    this.isSubscribed = true;
    listener.on('notification', ({ channel, payload }: PgNotification) => {
      if (channel === EVENTS && payload === this.queueName) this.notice();
    });
    this.connection.on('listenerinvalidated', () => this.notice());
  }

  private notice(): void {
    this.wasNoticed = true;
    this.emptyReads = 0;
    this.endWait?.();
  }

  private async look(): Promise<StoredEvent[]> {
    this.wasNoticed = false;
    return this.window!.next();
  }

  private async waitForNotice(timeout: number): Promise<void> {
    if (this.wasNoticed) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.endWait = undefined;
        resolve();
      };
      const timer = setTimeout(finish, timeout);
      this.endWait = finish;
    });
  }
}

/** As Redis gives the entries of a stream: names and values in turn. */
function toStreamEntry({ id, event, data }: StoredEvent): [string, string[]] {
  const fields = Object.entries(data ?? {}).flatMap(([key, value]) => [key, String(value)]);
  return [id, ['event', event, ...fields]];
}
