import type { PgQueryable, Queue } from 'bullmq';

const COUNT = `
SELECT job_id AS id, count(*)::int AS lines FROM job_log
 WHERE queue = $1 AND job_id = ANY($2::text[]) GROUP BY job_id`;

/** @internal */
export async function countLogLines(sql: PgQueryable, queue: Queue, jobIds: readonly string[]): Promise<number[]> {
  const { rows } = await sql.query<{ id: string; lines: number }>(COUNT, [queue.name, jobIds]);
  const lines = new Map(rows.map(({ id, lines: count }) => [id, count]));
  return jobIds.map((id) => lines.get(id) ?? 0);
}
