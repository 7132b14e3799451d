import type { Queue } from 'bullmq';

/** A job in BullMQ's failed set. @internal */
export interface FailedJob {
  readonly queue: string;
  readonly id: string;
  /** When it ended, in milliseconds since the epoch. */
  readonly at: number;
}

/** Where a page begins and which jobs it may hold. @internal */
export interface FailedRange {
  readonly order: 'newest' | 'oldest';
  /** Milliseconds since the epoch; those that ended at `from` belong to it, those at `to` do not. */
  readonly from: number;
  readonly to: number;
  /** The job after which the page begins, also when it is there no more. */
  readonly after?: Pick<FailedJob, 'at' | 'id'> | undefined;
  /** Jobs that are looked at. */
  readonly most: number;
  /** Jobs whose reason begins so are left out. */
  readonly exceptReason: string;
}

/** @internal */
export interface FailedPage {
  /** By the time at which they ended, and by id those of the same millisecond. */
  readonly jobs: FailedJob[];
  /** Where the next page begins; undefined when there is none. A page without jobs may have one. */
  readonly next: Pick<FailedJob, 'at' | 'id'> | undefined;
}

/** Which job a failed one was done again as. @internal */
export interface RedriveLink {
  readonly jobId: string;
  /** When that failed: another job may have the id by now. */
  readonly at: number;
  readonly redrivenAs: string;
}

/** What BullMQ does not offer of the jobs in its failed set. @internal */
export interface FailedJobs {
  /** BullMQ pages by rank, which shifts with every job that fails or goes; this pages by what stays as it is. */
  page(queue: Queue, range: FailedRange): Promise<FailedPage>;
  /**
   * Writes each link into the data of its job, unless that has one or is not there any more, in one round trip.
   *
   * @returns the ids of the jobs that this call has linked.
   */
  link(queue: Queue, links: readonly RedriveLink[]): Promise<Set<string>>;
}

/** One job that was looked at. @internal */
export interface FailedRow {
  readonly id: string;
  readonly at: number;
  readonly excepted: boolean;
}

/** @internal */
export function pageOf(queue: string, rows: readonly FailedRow[], most: number): FailedPage {
  const jobs = rows.filter(({ excepted }) => !excepted).map(({ id, at }) => ({ queue, id, at }));
  return { jobs, next: rows.length < most ? undefined : rows.at(-1) };
}

/** The times that a page can hold, now that the ones before its begin are known to be over. @internal */
export function boundsOf({ order, from, to, after }: FailedRange): { from: number; to: number } {
  if (!after) return { from, to };
  return order === 'newest' ? { from, to: Math.min(to, after.at + 1) } : { from: Math.max(from, after.at), to };
}
