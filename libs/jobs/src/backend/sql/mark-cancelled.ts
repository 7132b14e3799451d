import type { PgQueryable, Queue } from 'bullmq';
import { promoteIfDelayed } from '../promote-marked.js';
import type { CancelMark, CancelMarks } from '../queue-backend.js';

/** Locked in one order, so that two calls for the same jobs do not wait for each other. */
const MARK = `
WITH asked AS (
  SELECT id, state FROM job WHERE queue = $1 AND id = ANY($2::text[]) ORDER BY id FOR UPDATE
), marked AS (
  UPDATE job
     SET deferred_failure = CASE asked.state WHEN 'active' THEN $4 ELSE $3 END,
         failed_reason = CASE asked.state WHEN 'active' THEN job.failed_reason ELSE $3 END
    FROM asked
   WHERE job.queue = $1 AND job.id = asked.id AND asked.state NOT IN ('completed', 'failed')
     AND NOT starts_with(coalesce(job.deferred_failure, ''), $5)
     AND NOT starts_with(coalesce(job.failed_reason, ''), $5)
  RETURNING job.id
)
SELECT asked.id, asked.state FROM asked`;

const READ_UNFINISHED = `
SELECT id, data -> $3::text AS value FROM job
 WHERE queue = $1 AND id = ANY($2::text[]) AND state NOT IN ('completed', 'failed')`;

const READ = `SELECT id, deferred_failure FROM job WHERE queue = $1 AND id = ANY($2::text[])`;

/** @internal */
export async function markCancelled(
  sql: PgQueryable,
  queue: Queue,
  jobIds: readonly string[],
  { waiting, active, beginning }: CancelMarks,
): Promise<CancelMark[]> {
  const values = [queue.name, jobIds, waiting, active, beginning];
  const { rows } = await sql.query<{ id: string; state: string }>(MARK, values);
  const states = new Map(rows.map(({ id, state }) => [id, state]));
  return Promise.all(
    jobIds.map(async (id) => {
      const state = states.get(id);
      if (state === undefined) return 'missing';
      if (state === 'completed' || state === 'failed') return 'finished';
      if (state === 'active') return 'active';
      if (state === 'delayed') await promoteIfDelayed(queue, id);
      return 'marked';
    }),
  );
}

/** @internal */
export async function readUnfinished(
  sql: PgQueryable,
  queue: Queue,
  jobIds: readonly string[],
  field: string,
): Promise<unknown[]> {
  const { rows } = await sql.query<{ id: string; value: unknown }>(READ_UNFINISHED, [queue.name, jobIds, field]);
  const found = new Map(rows.map(({ id, value }) => [id, value ?? undefined]));
  return jobIds.map((id) => found.get(id));
}

/** @internal */
export async function deferredFailures(
  sql: PgQueryable,
  queue: Queue,
  jobIds: readonly string[],
): Promise<(string | undefined)[]> {
  const { rows } = await sql.query<{ id: string; deferred_failure: string | null }>(READ, [queue.name, jobIds]);
  const found = new Map(rows.map(({ id, deferred_failure: mark }) => [id, mark ?? undefined]));
  return jobIds.map((id) => found.get(id));
}
