import type { PgQueryable, Queue } from 'bullmq';

/**
 * BullMQ's own `promote` reads the state first and updates whatever has become of it since: a job that is fetched in
 * between would be put back while it runs. One row a statement, since rows that are locked in another order than BullMQ's
 * make deadlocks.
 */
const WAKE = `
WITH woken AS (
  UPDATE job
     SET state = 'waiting', priority = 0, process_at_ms = NULL, delay_ms = 0, seq = nextval('job_seq')
   WHERE queue = $1 AND id = $2 AND state = 'delayed'
  RETURNING id
)
SELECT pg_notify('bullmq_jobs', $1),
       publish_event($1, 'waiting', jsonb_build_object('jobId', id, 'prev', 'delayed'))
  FROM woken`;

/** @internal */
export async function wakeJobs(sql: PgQueryable, queue: Queue, jobIds: readonly string[]): Promise<void> {
  for (const id of jobIds) await sql.query(WAKE, [queue.name, id]);
}
