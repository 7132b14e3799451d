import type { JobErrorInfo, JobState } from './job-status.js';

/** A job and those that it waits for, or has waited for, at any depth: see {@link JobHandle.tree}. @publicApi */
export interface JobTree {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly state: JobState;
  readonly attempt: number;
  /** ISO-8601. */
  readonly startedAt?: string;
  /** ISO-8601. */
  readonly finishedAt?: string;
  readonly error?: JobErrorInfo;
  /** The job that this one failed along with. */
  readonly failedJob?: string;
  /** Members of a group in their order. */
  readonly children: readonly JobTree[];
  /** How many children are not shown: of a large group, and when the tree is large. */
  readonly more?: number;
}
