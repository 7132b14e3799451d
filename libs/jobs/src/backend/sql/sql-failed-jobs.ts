import type { PgQueryable, Queue } from 'bullmq';
import {
  boundsOf,
  pageOf,
  type FailedJobs,
  type FailedPage,
  type FailedRange,
  type RedriveLink,
} from '../failed-jobs.js';

/** Ids are compared by their bytes, as everywhere else, and not as the database's language would. */
function pageSql(direction: 'ASC' | 'DESC', over: '<=' | '>='): string {
  return `
SELECT id, finished_at_ms AS at,
       starts_with(coalesce(failed_reason, ''), $7) OR starts_with(coalesce(deferred_failure, ''), $7) AS excepted
  FROM job
 WHERE queue = $1 AND state = 'failed' AND finished_at_ms >= $2::bigint AND finished_at_ms < $3::bigint
   AND ($4::bigint IS NULL OR finished_at_ms <> $4::bigint OR NOT id COLLATE "C" ${over} $5::text)
 ORDER BY finished_at_ms ${direction}, id COLLATE "C" ${direction} LIMIT $6`;
}

const PAGE = { newest: pageSql('DESC', '>='), oldest: pageSql('ASC', '<=') };

/** Two calls that link the same jobs lock them in the same order, or each would wait for the other. */
const LINK = `
WITH link AS (
  SELECT * FROM jsonb_to_recordset($2::jsonb) AS link ("jobId" text, at bigint, "redrivenAs" text)
), locked AS (
  SELECT id FROM job
   WHERE queue = $1 AND state = 'failed' AND (id, finished_at_ms) IN (SELECT "jobId", at FROM link)
     AND jsonb_typeof(data) = 'object' AND NOT data ? 'w'
   ORDER BY id FOR UPDATE
)
UPDATE job SET data = jsonb_set(data, '{w}', to_jsonb(link."redrivenAs"))
  FROM link JOIN locked ON locked.id = link."jobId"
 WHERE job.queue = $1 AND job.id = locked.id AND NOT job.data ? 'w'
RETURNING job.id`;

interface Row {
  readonly id: string;
  /** An int8, which comes as text. */
  readonly at: string;
  readonly excepted: boolean;
}

/** @internal */
export class SqlFailedJobs implements FailedJobs {
  constructor(private readonly sql: PgQueryable) {}

  async page(queue: Queue, range: FailedRange): Promise<FailedPage> {
    const { order, after, most, exceptReason } = range;
    const { from, to } = boundsOf(range);
    const values = [queue.name, from, to, after?.at ?? null, after?.id ?? null, most, exceptReason];
    const { rows } = await this.sql.query<Row>(PAGE[order], values);
    const jobs = rows.map(({ id, at, excepted }) => ({ id, at: Number(at), excepted }));
    return pageOf(queue.name, jobs, most);
  }

  async link(queue: Queue, links: readonly RedriveLink[]): Promise<Set<string>> {
    const { rows } = await this.sql.query<{ id: string }>(LINK, [queue.name, JSON.stringify(links)]);
    return new Set(rows.map(({ id }) => id));
  }
}
