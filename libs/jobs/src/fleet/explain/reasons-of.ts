import { INTERNAL_QUEUE } from '../../canvas/canvas-part.js';
import { attemptNumber, saidOfAttempt, type Waits } from '../../client/envelope.js';
import { queueOfJobId } from '../../client/job-id.js';
import { formatLimit } from '../../limits/limit-rule.js';
import { overridden } from '../../limits/rate-limits.js';
import type { JobReason } from '../job-explanation.js';
import { parkedFor, waitsForTurn, type JobPicture } from './job-picture.js';

/**
 * All that keeps a job from running, in the order of {@link JobReason}; of one that runs or has ended, that. Never empty.
 *
 * @internal
 */
export function reasonsOf(picture: JobPicture): [JobReason, ...JobReason[]] {
  const { status, state, job } = picture;
  if (job.finishedOn !== undefined) return [ended(picture)];
  if (state === 'active' && status.state === 'running') return [running(picture)];
  const reasons = [...unwanted(picture), ...children(picture)];
  const isToRun = reasons.length === 0 || reasons[0]!.kind === 'children';
  if (isToRun) reasons.push(...notYet(picture));
  reasons.push(...unworked(picture));
  // Whoever has only to end it needs no code and no lock for that.
  if (isToRun) reasons.push(...unknownTask(picture), ...parked(picture));
  if (reasons.every(({ kind }) => MAY_BE_CROWDED.has(kind))) reasons.push(...crowded(picture));
  const [first, ...others] = reasons;
  return first ? [first, ...others] : [next(picture)];
}

/** By the time that the others are over, the crowd is another one. */
const MAY_BE_CROWDED: ReadonlySet<JobReason['kind']> = new Set(['cancelled', 'expired', 'paused-queue']);

function ended({ status, job }: JobPicture): JobReason {
  const { state, finishedAt, reason, error } = status;
  return {
    kind: 'ended',
    state,
    at: finishedAt ?? iso(job.finishedOn!),
    ...(reason !== undefined && { reason }),
    ...(error && { error: named(error) }),
  };
}

function running({ status, job, now, surroundings: { claim } }: JobPicture): JobReason {
  return {
    kind: 'running',
    attempt: status.attempt,
    since: status.startedAt ?? iso(job.processedOn ?? now),
    ...(claim?.process !== undefined && { process: claim.process }),
    ...(claim?.isLost && { isLost: true as const }),
    ...(status.cancelRequested && { cancelRequested: true as const }),
  };
}

function unwanted({ status, job, now }: JobPicture): JobReason[] {
  if (status.state === 'cancelled') {
    return [{ kind: 'cancelled', ...(status.reason !== undefined && { reason: status.reason }) }];
  }
  const { x: expiresAt } = job.data;
  const { waits, begun } = saidOfAttempt(job) ?? {};
  const hasBegun = attemptNumber(job) > 1 || (waits ? begun === true : job.attemptsStarted > 0);
  return expiresAt !== undefined && expiresAt < now && !hasBegun ? [{ kind: 'expired', at: iso(expiresAt) }] : [];
}

function children({ surroundings }: JobPicture): JobReason[] {
  const { children: seen } = surroundings;
  return seen ? [{ kind: 'children', waiting: seen.waiting, of: seen.some.map(({ id }) => id) }] : [];
}

/** Its own time, of one that waits for nothing else. */
function notYet(picture: JobPicture): JobReason[] {
  const { job, state, status, now } = picture;
  if (state !== 'delayed' || parkedFor(picture)) return [];
  // What was put off without a word of when: from when it was put off.
  const due = status.scheduledFor ? Date.parse(status.scheduledFor) : (job.processedOn ?? job.timestamp) + job.delay;
  // The next worker that looks takes it.
  if (due <= now) return [];
  const until = iso(due);
  if (status.state === 'retrying') {
    const error = status.attempts.at(-1)?.error;
    return [{ kind: 'retrying', until, attempt: status.attempt, ...(error && { error: named(error) }) }];
  }
  return [{ kind: saidOfAttempt(job)?.snoozedFor === undefined ? 'scheduled' : 'snoozed', until }];
}

/** Nobody begins jobs of its queue. */
function unworked({ job, surroundings: { serving, queue: seen } }: JobPicture): JobReason[] {
  const queue = job.queueName;
  const reasons: JobReason[] = [];
  if (serving.length === 0) reasons.push({ kind: 'unserved-queue', queue });
  if (seen?.isPaused) reasons.push({ kind: 'paused-queue', queue });
  if (serving.length > 0 && serving.every(({ isPaused }) => isPaused)) {
    reasons.push({ kind: 'paused-processes', queue, processes: serving.map(({ id }) => id) });
  }
  return reasons;
}

function unknownTask(picture: JobPicture): JobReason[] {
  const { job, surroundings } = picture;
  // Its jobs are the library's own, of no task.
  if (job.queueName === INTERNAL_QUEUE) return [];
  const task = job.name;
  const { serving } = surroundings;
  const isKnown = serving.some(({ has }) => has(task));
  const waits = parkedFor(picture);
  if (waits?.for === 'unknown-task') {
    const until = waits.until === undefined ? {} : { until: iso(waits.until) };
    return [{ kind: 'unknown-task', task, ...until, ...(isKnown && { isKnown: true as const }) }];
  }
  return isKnown || serving.length === 0 ? [] : [{ kind: 'unknown-task', task }];
}

/** What it has stepped out of its slot for. Beside its code it may wait for that too. */
function parked(picture: JobPicture): JobReason[] {
  const waits = parkedFor(picture);
  if (!waits) return [];
  return waits.reserved ? limited(picture, waits.reserved) : inLine(picture, waits);
}

function limited(
  { now, surroundings: { limit: seen } }: JobPicture,
  { name, key, rule, at }: NonNullable<Waits['reserved']>,
): JobReason[] {
  const pausedUntil = seen?.pausedUntil;
  // Who comes while it is paused is sent away again.
  const until = Math.max(Math.ceil(at), pausedUntil ?? 0);
  if (until <= now) return [];
  const { change, factor = 1 } = seen ?? {};
  const rate = formatLimit(overridden(rule, change));
  return [
    {
      kind: 'limited',
      limit: name,
      ...(key !== '' && { key }),
      until: iso(until),
      rate: factor === 1 ? rate : `${rate} * ${factor}`,
      ...((change || factor !== 1) && { isChanged: true as const }),
      ...(pausedUntil !== undefined && { pausedUntil: iso(pausedUntil) }),
    },
  ];
}

function inLine({ now, surroundings: { line: seen } }: JobPicture, waits: Waits): JobReason[] {
  const { line, key = '' } = waits;
  // Who is called comes at once.
  if (!line || !seen || seen.isCalled) return [];
  const { holders, held, ahead } = seen;
  const lookAgain = waits.for === 'unknown-task' ? undefined : waits.until;
  const isFree = held + ahead < line.places;
  // The one that had it has died: nobody wakes those in line.
  if (isFree && (lookAgain ?? 0) <= now) return [];
  const until = lookAgain === undefined || lookAgain <= now ? {} : { until: iso(lookAgain) };
  if (waits.for === 'idempotency') {
    const holder = holders[0]?.id;
    return [{ kind: 'same-key', key, ...(holder !== undefined && { holder }), ahead, ...until }];
  }
  return [
    {
      kind: 'locked',
      key: key === '' ? line.name : key,
      holders: holders.map(({ id, expiresAt }) => ({
        id,
        kind: queueOfJobId(id) === undefined ? 'code' : 'job',
        expiresAt: iso(expiresAt),
      })),
      held,
      places: line.places,
      ahead,
      ...until,
    },
  ];
}

/** It could run, and others do. */
function crowded(picture: JobPicture): JobReason[] {
  const { job, now, surroundings } = picture;
  const { queue: seen, serving } = surroundings;
  const reasons: JobReason[] = [];
  if (!seen) return reasons;
  const { active, globalConcurrency = Infinity, limitedFor } = seen;
  if (limitedFor > 0) {
    reasons.push({ kind: 'limited', limit: `bullmq:${job.queueName}`, until: iso(now + limitedFor) });
  }
  const [paused, free] = [serving.filter(({ isPaused }) => isPaused), serving.filter(({ isPaused }) => !isPaused)];
  // One that does not tell has some.
  const slots = free.reduce((sum, { concurrency = Infinity }) => sum + concurrency, 0);
  // What runs in one that is paused takes no slot of the others.
  const taken = active - paused.reduce((sum, each) => sum + each.active, 0);
  const crowd = { kind: 'concurrency', ...place(picture) } as const;
  if (active >= globalConcurrency) {
    reasons.push({ ...crowd, active, slots: globalConcurrency, scope: 'global' });
  } else if (free.length > 0 && taken >= slots) {
    reasons.push({ ...crowd, active: taken, slots, scope: 'processes' });
  }
  return reasons;
}

function next(picture: JobPicture): JobReason {
  return { kind: 'next', ...place(picture) };
}

function place(picture: JobPicture): { position?: number } {
  const { position } = picture.surroundings;
  return position !== undefined && waitsForTurn(picture) ? { position } : {};
}

function named({ name, message }: { name: string; message: string }): { name: string; message: string } {
  return { name, message };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
