import type { PgQueryable } from 'bullmq';
import { Together } from '../together.js';
import {
  firstVersion,
  type ScheduleIndex,
  type SchedulePage,
  type ScheduleStore,
  type StoredSchedule,
} from '../schedule-store.js';

const READ = 'SELECT name, version, body FROM jobs_schedule WHERE name = ANY($1::text[])';
/** In the order of their names, or two processes that write the same ones could wait for each other. */
const INSERT = `
INSERT INTO jobs_schedule (name, version, body, next_at, owner)
SELECT name, version, body, next_at, owner
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::integer[])
  AS given (name, body, next_at, owner, version)
ORDER BY name
ON CONFLICT (name) DO NOTHING RETURNING name`;
const UPDATE = `
WITH locked AS (
  SELECT name FROM jobs_schedule WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE
)
UPDATE jobs_schedule AS schedule
SET version = schedule.version + 1, body = given.body, next_at = given.next_at, owner = given.owner
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::integer[])
  AS given (name, body, next_at, owner, version)
JOIN locked ON locked.name = given.name
WHERE schedule.name = given.name AND schedule.version = given.version RETURNING schedule.name`;
const REMOVE = 'DELETE FROM jobs_schedule WHERE name = $1 AND ($2::integer IS NULL OR version = $2) RETURNING version';
const LIST = 'SELECT name, version, body FROM jobs_schedule WHERE name > $1 ORDER BY name LIMIT $2';
const LIST_OWNED = `
SELECT name, version, body FROM jobs_schedule WHERE owner = $3 AND name > $1 ORDER BY name LIMIT $2`;
const OVERDUE = 'SELECT name FROM jobs_schedule WHERE next_at < $1 ORDER BY next_at LIMIT $2';

/** Of schedules that are read or written together: their payloads may be large. */
const MOST = 50;

interface Write extends StoredSchedule {
  readonly index: ScheduleIndex;
}

/** A row for each. @internal */
export class SqlScheduleStore implements ScheduleStore {
  private readonly reads: Together<string, StoredSchedule | undefined>;
  private readonly writes: Together<Write, boolean>;

  constructor(private readonly sql: PgQueryable) {
    this.reads = new Together((names) => this.readAll(names), MOST);
    this.writes = new Together((all) => this.writeAll(all), MOST);
  }

  read(name: string): Promise<StoredSchedule | undefined> {
    return this.reads.answer(name);
  }

  write(name: string, version: number, body: string, index: ScheduleIndex): Promise<boolean> {
    return this.writes.answer({ name, version, body, index });
  }

  async remove(name: string, version?: number): Promise<boolean> {
    const { rows } = await this.sql.query(REMOVE, [name, version ?? null]);
    return rows.length === 1;
  }

  async list({
    cursor = '',
    limit,
    owner,
  }: {
    cursor?: string | undefined;
    limit: number;
    owner?: string | undefined;
  }): Promise<SchedulePage> {
    const { rows: schedules } =
      owner === undefined
        ? await this.sql.query<StoredSchedule>(LIST, [cursor, limit])
        : await this.sql.query<StoredSchedule>(LIST_OWNED, [cursor, limit, owner]);
    return { schedules, cursor: schedules.length < limit ? undefined : schedules.at(-1)!.name };
  }

  async overdue(before: number, limit: number): Promise<string[]> {
    const { rows } = await this.sql.query<{ name: string }>(OVERDUE, [before, limit]);
    return rows.map(({ name }) => name);
  }

  private async readAll(names: readonly string[]): Promise<(StoredSchedule | undefined)[]> {
    const { rows } = await this.sql.query<StoredSchedule>(READ, [[...new Set(names)]]);
    const found = new Map(rows.map((row) => [row.name, row]));
    return names.map((name) => found.get(name));
  }

  private async writeAll(writes: readonly Write[]): Promise<boolean[]> {
    const written = new Set<Write>();
    for (let left = writes; left.length > 0;) {
      const firsts = new Map<string, Write>();
      for (const write of left) if (!firsts.has(write.name)) firsts.set(write.name, write);
      for (const isNew of [true, false]) {
        const some = [...firsts.values()].filter(({ version }) => (version === 0) === isNew);
        const names = await this.writeSome(isNew ? INSERT : UPDATE, some);
        for (const write of some) if (names.has(write.name)) written.add(write);
      }
      // Whether it was written or not, its schedule has that version no more.
      left = left.filter(({ name, version }) => firsts.get(name)!.version !== version);
    }
    return writes.map((write) => written.has(write));
  }

  private async writeSome(statement: string, writes: readonly Write[]): Promise<ReadonlySet<string>> {
    if (writes.length === 0) return new Set();
    const columns = [
      writes.map(({ name }) => name),
      writes.map(({ body }) => body),
      writes.map(({ index }) => index.next ?? null),
      writes.map(({ index }) => index.owner ?? null),
      writes.map(({ version }) => version || firstVersion()),
    ];
    const { rows } = await this.sql.query<{ name: string }>(statement, columns);
    return new Set(rows.map(({ name }) => name));
  }
}
