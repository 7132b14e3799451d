import type { BackoffStrategy } from 'bullmq';

/** The backoff type in a job's options that leaves the delay to {@link decidedBackoff}. @internal */
export const DECIDED_BACKOFF = 'decided';

/** A failed attempt that says itself how many milliseconds later the next one is due. @internal */
export interface WithRetryDelay {
  readonly retryDelay: number;
}

/** BullMQ asks for the delay after the executor has decided it. @internal */
export const decidedBackoff: BackoffStrategy = (_attempts, _type, error) =>
  (error as Partial<WithRetryDelay> | undefined)?.retryDelay ?? 0;
