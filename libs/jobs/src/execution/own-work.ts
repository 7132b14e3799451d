import { WaitingError } from 'bullmq';
import { attemptNumber, maxAttempts, type StoredJob } from '../client/envelope.js';
import type { Tell } from '../client/tell.js';
import type { AttemptOutcome } from './attempt-outcome.js';
import { JobStalledError, NonRetryableError } from './execution.errors.js';

const FIRST_RETRY = 100;
const LONGEST_RETRY = 10_000;

/**
 * Runs a job of the library's own, which has no task: again and again while the store is away, and as another attempt when
 * it fails.
 *
 * @param work - is told whether it may have begun before.
 * @internal
 */
export async function runOwnWork(
  job: StoredJob,
  tell: Tell,
  work: (mayHaveBegun: boolean) => Promise<AttemptOutcome>,
): Promise<AttemptOutcome> {
  if (attemptNumber(job) > maxAttempts(job)) {
    return { kind: 'failed', error: new JobStalledError(job.stalledCounter), ran: false };
  }
  let isFirst = job.attemptsStarted === 1;
  try {
    let outcome: AttemptOutcome | undefined;
    await tell(async () => {
      const mayHaveBegun = !isFirst;
      isFirst = false;
      outcome = await work(mayHaveBegun);
    });
    return outcome!;
  } catch (error) {
    // It was given back.
    if (error instanceof WaitingError) throw error;
    const attempt = attemptNumber(job);
    if (error instanceof NonRetryableError || attempt >= maxAttempts(job)) return { kind: 'failed', error, ran: true };
    return { kind: 'retrying', error, delay: Math.min(FIRST_RETRY * 2 ** (attempt - 1), LONGEST_RETRY) };
  }
}
