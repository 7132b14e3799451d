import type { PgQueryable } from 'bullmq';

/** One event of a queue, as BullMQ stores it. @internal */
export interface StoredEvent {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown> | null;
}

/** What was known when an earlier read was made. */
interface Horizon {
  /** Transactions from this number on had not begun. */
  readonly nextTransaction: bigint;
  /** The newest event id that had been given out before. */
  readonly newestId: bigint;
}

const PAGE = 100;
/** `publish_event` alone takes its id a moment before its transaction gets a number. */
const SLACK = 64n;
/** BullMQ deletes events that are this far behind, so nothing is to be had there. */
const WIDEST = 10_000n;

const OPEN = `
SELECT (SELECT last_value FROM event_seq)::text AS newest,
       ARRAY(SELECT id::text FROM event WHERE queue = $1 AND id > (SELECT last_value FROM event_seq) - ${SLACK}) AS old`;

const READ = `
SELECT pg_snapshot_xmin(at.snapshot)::text AS oldest, pg_snapshot_xmax(at.snapshot)::text AS next,
       (SELECT last_value FROM event_seq)::text AS newest, e.id::text AS id, e.event, e.data
FROM (SELECT pg_current_snapshot() AS snapshot) at
LEFT JOIN LATERAL (
  SELECT id, event, data FROM event
  WHERE queue = $1 AND id > $2
    AND NOT EXISTS (SELECT FROM unnest($3::bigint[]) AS read (id) WHERE read.id = event.id)
  ORDER BY id LIMIT ${PAGE}
) e ON true`;

/**
 * Reads every event of a queue once, where BullMQ 6.7 on Postgres loses some: it asks for the ids above the last one it
 * saw, but ids come from a sequence and are committed in another order, so an event can appear behind that place.
 * Nothing of this is needed any more when BullMQ reads its events so itself.
 *
 * What a read could not see was written by a transaction that was under way or had not begun, so its number is at least
 * that of the oldest one under way. A transaction that had not begun at an earlier read gives only ids above the newest
 * that had been given out before that read. So all that is still to come lies above a floor, which follows a few
 * transactions behind; above it, the ids that were read are remembered.
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

  /** Begins with what cannot be read yet: events of the past are left out. */
  static async open(sql: PgQueryable, queue: string): Promise<EventWindow> {
    const { rows } = await sql.query<{ newest: string; old: string[] }>(OPEN, [queue]);
    const { newest, old } = rows[0]!;
    return new EventWindow(sql, queue, new Set(old), BigInt(newest) - SLACK, BigInt(newest));
  }

  /** At most a page of the events that were not read yet, oldest first. */
  async next(): Promise<StoredEvent[]> {
    const { rows } = await this.sql.query<StoredEvent & { oldest: string; next: string; newest: string }>(READ, [
      this.queue,
      String(this.floor),
      [...this.read],
    ]);
    const { oldest, next, newest } = rows[0]!;
    const events = rows.filter(({ id }) => id !== null);
    for (const { id } of events) this.read.add(id);
    // `newestId` is of the read before: the one of this read may count transactions that began after its snapshot.
    this.horizons.push({ nextTransaction: BigInt(next), newestId: this.newestId });
    this.newestId = BigInt(newest);
    // After a full page there may be more that is older than the floor would become.
    if (events.length < PAGE) this.raiseFloor(BigInt(oldest));
    return events;
  }

  private raiseFloor(oldestTransaction: bigint): void {
    const settled = this.horizons.findLastIndex(({ nextTransaction }) => nextTransaction <= oldestTransaction);
    if (settled >= 0) this.horizons = this.horizons.slice(settled);
    const reached = settled >= 0 ? this.horizons[0]!.newestId - SLACK : this.floor;
    const floor = max(reached, this.newestId - WIDEST);
    // A server restored from a backup gives out ids that it gave out before.
    if (floor <= this.floor && this.floor <= this.newestId) return;
    this.floor = this.floor > this.newestId ? this.newestId - SLACK : floor;
    for (const id of this.read) if (BigInt(id) <= this.floor) this.read.delete(id);
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
