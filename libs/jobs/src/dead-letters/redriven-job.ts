import { createHash } from 'node:crypto';
import type { CanvasPart } from '../canvas/canvas-part.js';
import type { StoredJob } from '../client/envelope.js';
import { callersJobId } from '../client/job-id.js';
import { keyOptions, retention, type PreparedJob } from '../client/prepared-job.js';
import { keyOf, type Uniqueness } from '../client/uniqueness.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';

/**
 * The new job for a failed one: the same task, payload, headers, tags, queue, priority and number of attempts. What
 * depends on the time of the first (when it was due, when it was no longer wanted) counts from now. It needs the same key,
 * and is refused where another job has that by now. Of a canvas it is no part: nothing waits for it, and it calls no links
 * and no errbacks.
 *
 * @param p - its payload.
 * @internal
 */
export function redrivenJob(job: StoredJob, p: unknown, options: ResolvedJobsOptions): PreparedJob {
  const { h, t, r, x, k, f, s, i, c } = job.data;
  const own = partOf(c);
  const uniqueness = uniquenessOf(job);
  const id = redriveId(job);
  const now = Date.now();
  const due = job.timestamp + (job.opts.delay ?? 0);
  return {
    id,
    queue: job.queueName,
    name: job.name,
    data: {
      ...(p !== undefined && { p }),
      ...(h && { h }),
      ...(t && { t }),
      ...(r !== undefined && { r }),
      ...(x !== undefined && { x: now + Math.max(0, x - due) }),
      ...(k !== undefined && { k }),
      ...(f !== undefined && { f }),
      ...(s !== undefined && { s }),
      ...(own && { c: own }),
      o: job.id!,
      i: i ?? job.id!,
    },
    opts: {
      jobId: id,
      timestamp: now,
      ...(job.opts.attempts !== undefined && { attempts: job.opts.attempts }),
      ...(job.opts.backoff !== undefined && { backoff: job.opts.backoff }),
      ...(job.opts.priority !== undefined && { priority: job.opts.priority }),
      ...(uniqueness && keyOptions(job.name, uniqueness)),
      ...retention(options),
    },
    uniqueness,
    start: { state: 'pending', delay: 0 },
  };
}

/** What it is to do with its payload, and what a job of the library's own is to do. */
function partOf(part: CanvasPart | undefined): CanvasPart | undefined {
  if (part?.n) return part;
  return part?.r && { r: part.r };
}

function uniquenessOf(job: StoredJob): Uniqueness | undefined {
  const { id = '', ttl } = job.opts.deduplication ?? {};
  const key = keyOf(job.name, id);
  if (key === undefined) return undefined;
  return { key, until: ttl ?? (job.data.s ? 'started' : 'finished'), onConflict: 'reject' };
}

/**
 * The same each time, so that the store itself keeps one failed job from being done again twice. Of its time too: an id
 * of the caller's may be that of another job later. Hashed, since an id that grew with each redrive would become too long.
 */
function redriveId(job: StoredJob): string {
  const hash = createHash('sha256').update(`${job.timestamp} ${job.id}`).digest('hex');
  return callersJobId(job.queueName, `redrive-${hash.slice(0, 32)}`);
}
