import type { Duration } from '../options/jobs-options.js';

/**
 * How long one attempt may take, from when its guards are asked to its result. Each is at most 24 days; a soft limit that
 * is not below the hard one does not boot.
 *
 * The idea is Celery's `soft_time_limit` and `time_limit`. Other than there, nothing can stop a method from outside: one
 * that goes on after the hard limit holds no slot any more, and nothing that it does for its job counts.
 *
 * @publicApi
 */
export interface TimeLimit {
  /** Then `job.signal` is aborted with a {@link SoftTimeLimitError}; `false`: never. @default '9m' */
  soft?: Duration | false;
  /**
   * Then the attempt ends with a {@link HardTimeLimitError}, which is tried again as any other error; `false`: never.
   * @default '10m'
   */
  hard?: Duration | false;
}

/** Milliseconds; undefined for none. @internal */
export interface ResolvedTimeLimit {
  readonly soft: number | undefined;
  readonly hard: number | undefined;
}
