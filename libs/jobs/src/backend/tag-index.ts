import type { JobPlace } from './job-sets.js';

/** One tag of one job. @internal */
export interface TaggedJob {
  readonly tag: string;
  readonly jobId: string;
  /** Milliseconds for which the index names the job. */
  readonly ttl: number;
}

/** @internal */
export interface TagPage {
  readonly jobs: JobPlace[];
  /** Where the next page begins; undefined when there is none. */
  readonly next: JobPlace | undefined;
}

/**
 * Which jobs have a tag. It is written before the jobs are, so it names every job that has the tag, and may name some that
 * were never stored, are not kept any more or have other tags: whoever asks it looks at the jobs themselves. What has
 * expired is deleted while new entries are written, so the index holds no more than was tagged within the longest ttl.
 *
 * @internal
 */
export interface TagIndex {
  /** In few round trips, however many. An entry that is there already is kept for the longer of both times. */
  add(jobs: readonly TaggedJob[]): Promise<void>;
  /** For jobs that were not stored after all. */
  remove(jobs: readonly Pick<TaggedJob, 'tag' | 'jobId'>[]): Promise<void>;
  /** Ids, sorted. */
  jobsWith(tag: string): Promise<string[]>;
  /**
   * Some of them, those that were added last first where the store can.
   *
   * @param after - the entry after which the page begins, also when it is there no more.
   */
  page(tag: string, after: JobPlace | undefined, most: number): Promise<TagPage>;
}
