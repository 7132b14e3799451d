import type { PgQueryable, Queue } from 'bullmq';
import { jobPageOf, type JobPage, type JobPlace, type JobSet, type JobSets } from '../job-sets.js';

/** By an index of BullMQ's. Ids are compared by their bytes, as everywhere else, and not as the database's language would. */
function pageSql(state: JobSet, at: string): string {
  return `
SELECT id, ${at} AS at FROM job
 WHERE queue = $1 AND state = '${state}' AND ${at} <= $2::bigint AND (${at} < $2::bigint OR id COLLATE "C" < $3::text)
 ORDER BY ${at} DESC, id COLLATE "C" DESC LIMIT $4`;
}

const PAGES: Record<Exclude<JobSet, 'waiting'>, string> = {
  'waiting-children': pageSql('waiting-children', 'seq'),
  delayed: pageSql('delayed', 'process_at_ms'),
  // The time of its claim changes while it runs, so they come by id alone.
  active: pageSql('active', '0::bigint'),
  completed: pageSql('completed', 'finished_at_ms'),
  failed: pageSql('failed', 'finished_at_ms'),
};

/** As one number that JavaScript can hold: a priority, and a place among those that have it. */
const AMONG = 2 ** 42;
/** This library has eleven priorities, BullMQ has two million. */
const PRIORITIES = 2 ** 11;

const WAITING = `
SELECT id, priority::bigint * ${AMONG} + seq AS at FROM job
 WHERE queue = $1 AND state = 'waiting' AND priority < ${PRIORITIES} AND (priority, seq) < ($2::integer, $3::bigint)
 ORDER BY priority DESC, seq DESC LIMIT $4`;

/** @internal */
export class SqlJobSets implements JobSets {
  constructor(private readonly sql: PgQueryable) {}

  async page(queue: Queue, set: JobSet, after: JobPlace | undefined, most: number): Promise<JobPage> {
    const place = set === 'waiting' ? waitingAfter(after) : [after?.at ?? Number.MAX_SAFE_INTEGER, after?.id ?? ''];
    const statement = set === 'waiting' ? WAITING : PAGES[set];
    const { rows } = await this.sql.query<{ id: string; at: string }>(statement, [queue.name, ...place, most]);
    const places = rows.map(({ id, at }) => ({ id, at: Number(at) }));
    return jobPageOf(queue.name, places, most);
  }
}

/** What is given back has a negative place. */
function waitingAfter(after: JobPlace | undefined): [priority: number, seq: number] {
  if (!after) return [PRIORITIES, 0];
  const priority = Math.floor((after.at + AMONG / 2) / AMONG);
  return [priority, after.at - priority * AMONG];
}
