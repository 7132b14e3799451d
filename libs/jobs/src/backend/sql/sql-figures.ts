import type { PgQueryable } from 'bullmq';
import { MOST_DEAD_LETTERS, type QueueFigures } from '../../census/figures.js';
import {
  MOST_FAILED_LOOKED_AT,
  MOST_PRIORITIES,
  type FiguresQuestion,
  type StoreFigures,
  type StoredFigures,
} from '../stored-figures.js';

/** Since when a job could begin: one that is back in the queue has waited since a worker had it. */
const READY_SINCE = `
  greatest(
    added_at_ms + CASE WHEN jsonb_typeof(opts -> 'delay') = 'number' THEN (opts ->> 'delay')::numeric ELSE 0 END,
    processed_at_ms
  )::bigint`;

/** The first one of all, or of the priorities after one. */
function firstReady(further = ''): string {
  return `
  SELECT priority, ${READY_SINCE} AS since FROM job
   WHERE queue = named AND state = 'waiting' ${further} ORDER BY priority, seq LIMIT 1`;
}

/** Of all queues in one go: from queue to queue, a database would read the whole table for each. */
function countsOf(state: string, more = ''): string {
  return `SELECT queue, count(*) AS jobs ${more} FROM job WHERE state = '${state}' AND queue = ANY($1::text[]) GROUP BY queue`;
}

const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/**
 * Of each state there is an index of BullMQ's; jobs that have ended are not read, but for the failed. Those whose time has
 * come stay among the delayed until a worker fetches.
 */
const FIGURES = `
WITH RECURSIVE asked AS (
  SELECT named, place FROM unnest($1::text[]) WITH ORDINALITY AS asked (named, place)
), first AS (
  SELECT named, 1 AS jumps, job.* FROM asked CROSS JOIN LATERAL (${firstReady()}) AS job
  UNION ALL
  SELECT named, jumps + 1, job.* FROM first CROSS JOIN LATERAL (${firstReady('AND job.priority > first.priority')}) AS job
   WHERE jumps < ${MOST_PRIORITIES}
), ready AS (
  SELECT named, min(since) AS since FROM first GROUP BY named
), waiting AS (
  ${countsOf('waiting')}
), delayed AS (
  ${countsOf('delayed', `, count(*) FILTER (WHERE process_at_ms <= ${NOW}) AS due, min(process_at_ms) AS since`)}
), blocked AS (
  ${countsOf('waiting-children')}
), running AS (
  ${countsOf('active')}
)
SELECT
  named AS queue,
  coalesce(waiting.jobs, 0) + coalesce(delayed.due, 0) AS waiting,
  coalesce(delayed.jobs - delayed.due, 0) AS delayed,
  coalesce(blocked.jobs, 0) AS blocked,
  coalesce(running.jobs, 0) AS running,
  least(ready.since, CASE WHEN delayed.due > 0 THEN delayed.since END) AS oldest,
  EXISTS (SELECT FROM meta WHERE queue = named AND field = 'paused' AND value = '1') AS paused,
  (SELECT count(*) FROM (
    SELECT FROM (
      SELECT id, failed_reason, deferred_failure FROM job
       WHERE queue = named AND state = 'failed' AND finished_at_ms >= $2::bigint
       ORDER BY finished_at_ms DESC LIMIT ${MOST_FAILED_LOOKED_AT}
    ) AS failed
     WHERE starts_with(id, named || '_')
       AND NOT starts_with(coalesce(failed_reason, ''), $3) AND NOT starts_with(coalesce(deferred_failure, ''), $3)
     LIMIT ${MOST_DEAD_LETTERS}
  ) AS dead_letter) AS dead_letters
FROM asked
LEFT JOIN ready USING (named)
LEFT JOIN waiting ON waiting.queue = named
LEFT JOIN delayed ON delayed.queue = named
LEFT JOIN blocked ON blocked.queue = named
LEFT JOIN running ON running.queue = named
ORDER BY place`;

const WAITERS = `
SELECT count(*) AS waiters FROM jobs_waiter
 WHERE starts_with(line, $1) AND forgotten_at > clock_timestamp()
   AND (called_until IS NULL OR called_until > clock_timestamp())`;

/** An int8 comes as text. */
interface Row {
  readonly queue: string;
  readonly waiting: string;
  readonly delayed: string;
  readonly blocked: string;
  readonly running: string;
  readonly oldest: string | null;
  readonly paused: boolean;
  readonly dead_letters: string;
}

/** @internal */
export class SqlFigures implements StoredFigures {
  constructor(private readonly sql: PgQueryable) {}

  async read({ queues, deadLettersSince, exceptReason, lockLines }: FiguresQuestion): Promise<StoreFigures> {
    const names = queues.map(({ name }) => name);
    const [counted, waiting] = await Promise.all([
      this.sql.query<Row>(FIGURES, [names, deadLettersSince, exceptReason]),
      this.sql.query<{ waiters: string }>(WAITERS, [lockLines]),
    ]);
    return { queues: counted.rows.map(figuresOf), locksWaiting: Number(waiting.rows[0]!.waiters) };
  }
}

function figuresOf({ queue, oldest, paused, ...row }: Row): QueueFigures {
  return {
    queue,
    waiting: Number(row.waiting),
    delayed: Number(row.delayed),
    blocked: Number(row.blocked),
    running: Number(row.running),
    deadLetters: Number(row.dead_letters),
    paused,
    ...(oldest !== null && { oldestWaitingSince: Number(oldest) }),
  };
}
