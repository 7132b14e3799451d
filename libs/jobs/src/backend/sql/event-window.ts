import type { PgQueryable } from 'bullmq';

/** One event of a queue, as BullMQ stores it. @internal */
export interface StoredEvent {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown> | null;
}

/** What was known when an earlier read was made. */
interface Horizon {
  /** Transactions with a higher number began later. */
  readonly transaction: bigint;
  /** The newest event id that had been given out before. */
  readonly newestId: bigint;
}

const PAGE = 100;
/** `publish_event` alone takes its id a moment before its transaction gets a number. */
const SLACK = 64n;
/** How far back something may still be on its way when the reading begins. */
const LOOK_BACK = 1_000n;
/** BullMQ deletes events that are this far behind, so nothing is to be had there. */
const WIDEST = 10_000n;
const MOST_HORIZONS = 1_000;

const OPEN = `
SELECT newest::text, ARRAY(SELECT id::text FROM event WHERE queue = $1 AND id > newest - ${LOOK_BACK}) AS old
FROM (SELECT last_value AS newest FROM event_seq) seq`;

/**
 * The read takes a transaction number of its own, because a snapshot does not tell which number is the next: its xmax is
 * one above the newest that has ended, and there may be older and younger ones under way.
 */
const READ = `
SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest, pg_current_xact_id()::text AS own,
       (SELECT last_value FROM event_seq)::text AS newest, e.id::text AS id, e.event, e.data
FROM (SELECT) one
LEFT JOIN LATERAL (
  SELECT id, event, data FROM event
  WHERE queue = $1 AND id > $2 AND id NOT IN (SELECT unnest($3::bigint[]))
  ORDER BY id LIMIT ${PAGE}
) e ON true`;

/**
 * Reads every event of a queue once, where BullMQ 6.7 on Postgres loses some: it asks for the ids above the last one it
 * saw, but ids come from a sequence and are committed in another order, so an event can appear behind that place.
 * Nothing of this is needed any more when BullMQ reads its events so itself.
 *
 * What a read could not see was written by a transaction that was under way or had not begun, so its number is at least
 * that of the oldest one under way. If that is above the number of an earlier read, the transaction began after that
 * earlier read, and its ids are above the newest that had been given out before it. So all that is still to come lies
 * above a floor, which follows a few transactions behind; above it, the ids that were read are remembered.
 *
 * @internal
 */
export class EventWindow {
  private horizons: Horizon[] = [];

  private constructor(
    private readonly sql: PgQueryable,
    private readonly queue: string,
    private readonly read: Set<string>,
    private floor: bigint,
    private newestId: bigint,
  ) {}

  /** Begins with what is committed from now on. */
  static async open(sql: PgQueryable, queue: string): Promise<EventWindow> {
    const { rows } = await sql.query<{ newest: string; old: string[] }>(OPEN, [queue]);
    const newest = BigInt(rows[0]!.newest);
    return new EventWindow(sql, queue, new Set(rows[0]!.old), newest - LOOK_BACK, newest);
  }

  /** At most a page of the events that were not read yet, oldest first. */
  async next(): Promise<StoredEvent[]> {
    const { rows } = await this.sql.query<StoredEvent & { oldest: string; own: string; newest: string }>(READ, [
      this.queue,
      String(this.floor),
      [...this.read],
    ]);
    const { oldest, own, newest } = rows[0]!;
    if (BigInt(newest) < this.newestId) return this.beginAgain(BigInt(newest));
    const events = rows.filter(({ id }) => id !== null);
    for (const { id } of events) this.read.add(id);
    // `newestId` is of the read before: the one of this read may count transactions that began after it.
    this.horizons.push({ transaction: BigInt(own), newestId: this.newestId });
    if (this.horizons.length > MOST_HORIZONS) this.horizons = this.horizons.filter((_, n) => n % 2 === 0);
    this.newestId = BigInt(newest);
    // A full page was read up to its last event, and there may be more above that.
    const readUpTo = events.length < PAGE ? this.newestId : BigInt(events.at(-1)!.id);
    this.raiseFloor(BigInt(oldest), readUpTo);
    return events;
  }

  private raiseFloor(oldestTransaction: bigint, readUpTo: bigint): void {
    const settled = this.horizons.findLastIndex(({ transaction }) => transaction < oldestTransaction);
    if (settled > 0) this.horizons = this.horizons.slice(settled);
    const reached = settled >= 0 ? min(this.horizons[0]!.newestId - SLACK, readUpTo) : this.floor;
    const floor = max(reached, this.newestId - WIDEST);
    if (floor <= this.floor) return;
    this.floor = floor;
    for (const id of this.read) if (BigInt(id) <= floor) this.read.delete(id);
  }

  /**
   * A server restored from a backup gives out ids, and transaction numbers, that it gave out before. Rather than to lose
   * events some are told again.
   */
  private beginAgain(newest: bigint): Promise<StoredEvent[]> {
    this.read.clear();
    this.horizons = [];
    this.floor = newest - LOOK_BACK;
    this.newestId = newest;
    return this.next();
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
