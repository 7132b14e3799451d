import type { PgQueryable } from 'bullmq';
import type { ScheduleIndex, SchedulePage, ScheduleStore, StoredSchedule } from '../schedule-store.js';

const INSERT = `
INSERT INTO jobs_schedule (name, version, body, next_at, owner) VALUES ($1, 1, $2, $3, $4)
ON CONFLICT (name) DO NOTHING RETURNING version`;
const UPDATE = `
UPDATE jobs_schedule SET version = version + 1, body = $3, next_at = $4, owner = $5 WHERE name = $1 AND version = $2 RETURNING version`;
const REMOVE = 'DELETE FROM jobs_schedule WHERE name = $1 AND ($2::integer IS NULL OR version = $2) RETURNING version';
const LIST = 'SELECT name, version, body FROM jobs_schedule WHERE name > $1 ORDER BY name LIMIT $2';
const LIST_OWNED = `
SELECT name, version, body FROM jobs_schedule WHERE owner = $3 AND name > $1 ORDER BY name LIMIT $2`;
const OVERDUE = 'SELECT name FROM jobs_schedule WHERE next_at < $1 ORDER BY next_at LIMIT $2';

/** A row for each. @internal */
export class SqlScheduleStore implements ScheduleStore {
  constructor(private readonly sql: PgQueryable) {}

  async read(name: string): Promise<StoredSchedule | undefined> {
    const query = 'SELECT name, version, body FROM jobs_schedule WHERE name = $1';
    return (await this.sql.query<StoredSchedule>(query, [name])).rows[0];
  }

  async write(name: string, version: number, body: string, { next, owner }: ScheduleIndex): Promise<boolean> {
    const values = [body, next ?? null, owner ?? null];
    const { rows } =
      version === 0
        ? await this.sql.query(INSERT, [name, ...values])
        : await this.sql.query(UPDATE, [name, version, ...values]);
    return rows.length === 1;
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
}
