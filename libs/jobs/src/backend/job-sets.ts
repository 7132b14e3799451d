import type { Queue } from 'bullmq';

/** Where a store keeps a job, by how far it has come. @internal */
export type JobSet = 'waiting-children' | 'delayed' | 'waiting' | 'active' | 'completed' | 'failed';

/** A job among those of its set. @internal */
export interface PlacedJob {
  readonly queue: string;
  readonly id: string;
  /** Its place in the order of the set. As long as the job stays there, that stays too. */
  readonly at: number;
}

/** @internal */
export type JobPlace = Pick<PlacedJob, 'at' | 'id'>;

/** @internal */
export interface JobPage {
  readonly jobs: PlacedJob[];
  /** Where the next page begins; undefined when there is none. */
  readonly next: JobPlace | undefined;
}

/** What BullMQ does not offer of the jobs that a queue has. @internal */
export interface JobSets {
  /**
   * The last ones first: those that ended last, that are due last, that were added last of those with one priority, the
   * least urgent first. BullMQ pages by rank, which shifts with every job that comes or goes; this pages by what stays.
   *
   * @param after - the job after which the page begins, also when it is there no more.
   */
  page(queue: Queue, set: JobSet, after: JobPlace | undefined, most: number): Promise<JobPage>;
}

/** @internal */
export function jobPageOf(queue: string, jobs: readonly JobPlace[], most: number): JobPage {
  return {
    jobs: jobs.map(({ id, at }) => ({ queue, id, at })),
    next: jobs.length < most ? undefined : jobs.at(-1),
  };
}
