import type { PgQueryable, Queue } from 'bullmq';

/** In the order in which BullMQ takes them, of which there is an index: the first `most` are counted, and no others. */
const POSITION = `
SELECT (
  SELECT count(*)::integer FROM (
    SELECT FROM job
     WHERE queue = $1 AND state = 'waiting' AND (priority, seq) < (own.priority, own.seq)
     ORDER BY priority, seq LIMIT $3::integer + 1
  ) AS before
) AS position
  FROM job AS own WHERE queue = $1 AND id = $2 AND state = 'waiting'`;

/** @internal */
export async function positionOf(
  sql: PgQueryable,
  queue: Queue,
  jobId: string,
  most: number,
): Promise<number | undefined> {
  const { rows } = await sql.query<{ position: number }>(POSITION, [queue.name, jobId, most]);
  const position = rows[0]?.position;
  return position === undefined || position > most ? undefined : position;
}
