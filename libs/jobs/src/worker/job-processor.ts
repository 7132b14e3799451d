import { DelayedError, UnrecoverableError } from 'bullmq';
import { attemptNumber, type StoredJob } from '../client/envelope.js';
import type { AttemptOutcome } from '../execution/attempt-outcome.js';
import { describeError, NEVER_RAN, stackWithAttempt } from '../retry/attempt-record.js';
import type { WithRetryDelay } from '../retry/decided-backoff.js';

/** Ends the job as failed: BullMQ does not try it again. */
class AttemptFailed extends UnrecoverableError {}

/** Ends the attempt; the next one is due `retryDelay` ms later. */
class AttemptRetrying extends Error implements WithRetryDelay {
  constructor(
    message: string,
    readonly retryDelay: number,
  ) {
    super(message);
  }
}

/** Hands an attempt's outcome to BullMQ in the ways it understands: a return value, or what is thrown. @internal */
export async function reportOutcome(job: StoredJob, token: string, outcome: AttemptOutcome): Promise<unknown> {
  switch (outcome.kind) {
    case 'succeeded':
      return outcome.result;
    case 'released':
      await job.moveToDelayed(outcome.until, token);
      throw new DelayedError();
    case 'failed':
      throw recorded(job, outcome, (message) => new AttemptFailed(message));
    case 'retrying':
      throw recorded(job, { ...outcome, ran: true }, (message) => new AttemptRetrying(message, outcome.delay));
  }
}

function recorded(
  job: StoredJob,
  { error, ran }: { error: unknown; ran: boolean },
  make: (message: string) => Error,
): Error {
  const described = describeError(error);
  const report = make(described.message);
  report.stack = stackWithAttempt(error, {
    attempt: ran ? attemptNumber(job) : NEVER_RAN,
    startedAt: new Date(job.processedOn ?? Date.now()).toISOString(),
    endedAt: new Date().toISOString(),
    error: described,
  });
  return report;
}
