import type { PgQueryable, Queue } from 'bullmq';
import type { Replaced, Replacement } from '../queue-backend.js';

/** With its schema in every name, since a transaction of the caller's has a search_path of its own. */
function statement(schema: string): string {
  return `
WITH holder AS (
  SELECT job_id FROM "${schema}".dedup
   WHERE queue = $1 AND dedup_id = $2 AND (expire_at_ms IS NULL OR expire_at_ms > $8::bigint)
), found AS (
  SELECT id, state, attempts_started > 0 AS is_parked, added_at_ms, LEAST($6::bigint, added_at_ms + $7::bigint) AS due
    FROM "${schema}".job
   WHERE queue = $1 AND id = (SELECT job_id FROM holder)
     AND deferred_failure IS NULL AND attempts_made = 0 AND stalled_count = 0
     AND (state IN ('waiting', 'delayed') AND attempts_started = 0
          OR state = 'delayed' AND progress -> 'waits' IS NOT NULL AND progress -> 'begun' IS NULL)
     FOR UPDATE
), freed AS (
  DELETE FROM "${schema}".dedup USING holder
   WHERE dedup.queue = $1 AND dedup.dedup_id = $2 AND dedup.job_id = holder.job_id
     AND $9::boolean AND NOT EXISTS (SELECT FROM found)
), place AS (
  SELECT id, is_parked, due, GREATEST(due - $8::bigint, 0) AS delay, added_at_ms,
         state = 'delayed' AS was_delayed FROM found
), replaced AS (
  UPDATE "${schema}".job
     SET data = $3::jsonb, priority = $4::integer, max_attempts = $5::integer,
         opts = opts || jsonb_build_object('priority', $4::integer, 'attempts', $5::integer) || CASE
           WHEN is_parked THEN '{}'::jsonb
           ELSE jsonb_build_object('delay', CASE WHEN delay > 0 THEN due - place.added_at_ms ELSE 0 END)
         END,
         state = CASE WHEN is_parked OR delay > 0 THEN 'delayed' ELSE 'waiting' END::"${schema}".job_state,
         delay_ms = CASE WHEN is_parked THEN delay_ms ELSE delay END,
         process_at_ms = CASE WHEN is_parked THEN process_at_ms WHEN delay > 0 THEN due END,
         seq = CASE WHEN was_delayed AND NOT is_parked AND delay = 0 THEN nextval('"${schema}".job_seq') ELSE seq END
    FROM place
   WHERE job.queue = $1 AND job.id = place.id
  RETURNING job.id, CASE WHEN is_parked THEN 0 ELSE delay END AS delay, is_parked, was_delayed, due
)
SELECT id, delay, CASE
  WHEN is_parked THEN NULL
  WHEN delay > 0 THEN "${schema}".publish_event($1, 'delayed', jsonb_build_object('jobId', id, 'delay', due))::text
  WHEN was_delayed THEN "${schema}".publish_event($1, 'waiting', jsonb_build_object('jobId', id, 'prev', 'delayed'))::text
END, pg_notify('bullmq_jobs', $1) FROM replaced`;
}

/** @internal */
export async function replaceUnbegun(
  sql: PgQueryable,
  schema: string,
  queue: Queue,
  key: string,
  { data, priority, attempts, now, due, maxWait, freesKey }: Replacement,
): Promise<Replaced | undefined> {
  const values = [queue.name, key, data, priority, attempts, due, maxWait ?? null, now, freesKey];
  const { rows } = await sql.query<{ id: string; delay: string }>(statement(schema), values);
  return rows[0] && { id: rows[0].id, delay: Number(rows[0].delay) };
}
