import { saidOfAttempt, type StoredJob } from '../client/envelope.js';
import type { AttemptOutcome } from './attempt-outcome.js';
import { UnknownTaskError } from './execution.errors.js';

/** How often (ms) a job of an unknown task is looked at again. */
const RECHECK = 5_000;

/**
 * A rolling deploy may be about to bring the code. The grace runs from when the job was first found without it.
 *
 * @param grace - milliseconds.
 * @internal
 */
export function waitForCode(job: StoredJob, grace: number): AttemptOutcome {
  const now = Date.now();
  const waits = saidOfAttempt(job)?.waits;
  const since = waits?.for === 'unknown-task' ? waits.since : now;
  const { line, reserved } = waits ?? {};
  if (now - since >= grace) {
    return { kind: 'failed', error: new UnknownTaskError(job.name, job.queueName), ran: false };
  }
  return {
    kind: 'parked',
    // What it waits for beside that, it still does.
    waits: {
      for: 'unknown-task',
      since,
      until: since + grace,
      ...(line && { line }),
      ...(reserved && { reserved }),
    },
    until: now + Math.min(RECHECK, grace),
  };
}

/**
 * Whether a job waited for its code, and for nothing beside it: what stands in a line or has a time goes on to wait for
 * that.
 *
 * @internal
 */
export function waitedForCode(job: StoredJob): boolean {
  const waits = saidOfAttempt(job)?.waits;
  return waits?.for === 'unknown-task' && !waits.line && !waits.reserved;
}
