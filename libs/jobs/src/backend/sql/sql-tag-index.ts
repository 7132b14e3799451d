import type { PgQueryable } from 'bullmq';
import type { JobPlace } from '../job-sets.js';
import type { TaggedJob, TagIndex, TagPage } from '../tag-index.js';

/**
 * Of what has expired, in the whole ledger, twice as much is deleted as is written: so it does not pile up. An entry that
 * is written at the same time must be left alone, since one statement cannot change a row twice.
 */
const ADD = `
WITH entry AS (
  SELECT 'tag:' || tag AS collection, "jobId" AS key, clock_timestamp() + max(ttl) * interval '1 millisecond' AS expires_at
    FROM jsonb_to_recordset($1::jsonb) AS entry (tag text, "jobId" text, ttl double precision)
   GROUP BY 1, 2
), swept AS (
  DELETE FROM jobs_ledger WHERE (collection, key) IN (
    SELECT collection, key FROM jobs_ledger AS old
     WHERE expires_at <= clock_timestamp()
       AND NOT EXISTS (SELECT FROM entry WHERE entry.collection = old.collection AND entry.key = old.key)
     ORDER BY expires_at LIMIT 2 * $2::integer FOR UPDATE SKIP LOCKED
  )
)
INSERT INTO jobs_ledger AS old (collection, key, value, expires_at)
SELECT collection, key, 'true'::jsonb, expires_at FROM entry ORDER BY collection, key
ON CONFLICT (collection, key) DO UPDATE SET expires_at = greatest(old.expires_at, EXCLUDED.expires_at)`;

const REMOVE = `
DELETE FROM jobs_ledger WHERE (collection, key) IN (
  SELECT 'tag:' || tag, "jobId" FROM jsonb_to_recordset($1::jsonb) AS entry (tag text, "jobId" text)
)`;

const LIST = `
SELECT key FROM jobs_ledger WHERE collection = 'tag:' || $1 AND expires_at > clock_timestamp()
ORDER BY key COLLATE "C"`;

/** By the order of the primary key, which is that of the database's language. Ids begin with the queue, and then sort by time. */
const PAGE = `
SELECT key FROM jobs_ledger
 WHERE collection = 'tag:' || $1 AND expires_at > clock_timestamp() AND ($2::text IS NULL OR key < $2::text)
 ORDER BY key DESC LIMIT $3`;

/** Rows of the ledger, a collection for each tag. @internal */
export class SqlTagIndex implements TagIndex {
  constructor(private readonly sql: PgQueryable) {}

  async add(jobs: readonly TaggedJob[]): Promise<void> {
    await this.sql.query(ADD, [JSON.stringify(jobs), jobs.length]);
  }

  async remove(jobs: readonly Pick<TaggedJob, 'tag' | 'jobId'>[]): Promise<void> {
    await this.sql.query(REMOVE, [JSON.stringify(jobs)]);
  }

  async jobsWith(tag: string): Promise<string[]> {
    const { rows } = await this.sql.query<{ key: string }>(LIST, [tag]);
    return rows.map(({ key }) => key);
  }

  async page(tag: string, after: JobPlace | undefined, most: number): Promise<TagPage> {
    const { rows } = await this.sql.query<{ key: string }>(PAGE, [tag, after?.id ?? null, most]);
    const jobs = rows.map(({ key }) => ({ id: key, at: 0 }));
    return { jobs, next: jobs.length < most ? undefined : jobs.at(-1) };
  }
}
