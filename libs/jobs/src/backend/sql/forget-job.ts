import type { PgQueryable, Queue } from 'bullmq';

const FORGET = `
DELETE FROM job WHERE queue = $1 AND id = $2 AND state IN ('completed', 'failed') AND finished_at_ms <= $3
RETURNING true AS deleted`;

/** @internal */
export async function forgetJob(sql: PgQueryable, queue: Queue, jobId: string, endedBy: number): Promise<boolean> {
  const { rows } = await sql.query(FORGET, [queue.name, jobId, endedBy]);
  return rows.length > 0;
}
