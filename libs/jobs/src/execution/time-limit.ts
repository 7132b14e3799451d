import type { Duration } from '../options/jobs-options.js';

/**
 * How long one attempt may take, from when its guards are asked to its result. Each is at most 24 days; a soft limit that
 * is not below the hard one beside it does not boot.
 *
 * One of the two is enough. Where nobody sets a soft limit it is 90 % of the hard one, and none where there is no hard
 * one. What is inherited and does not fit what is set gives way: an inherited soft limit to 90 % of the hard one, an
 * inherited hard one to a limit of which the soft one is 90 %.
 *
 * The idea is Celery's `soft_time_limit` and `time_limit`. Other than there, nothing can stop a method from outside: one
 * that goes on after the hard limit holds no slot any more, and nothing that it does for its job counts.
 *
 * @publicApi
 */
export interface TimeLimit {
  /** Then `job.signal` is aborted with a {@link SoftTimeLimitError}; `false`: never. @default 90 % of `hard`: '9m' */
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
  /** Nobody has set the soft one, so it follows the hard one. */
  readonly softFollows?: boolean;
}
