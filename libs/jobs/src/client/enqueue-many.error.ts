import type { JobHandle } from './job-handle.js';

/** An entry of `enqueueMany` that was not enqueued. @publicApi */
export interface EnqueueFailure {
  /** Its place in the list, from 0. */
  readonly index: number;
  /**
   * What the store said; for a queue on Redis that refused several jobs, what it said of the first.
   * {@link BackendUnavailableError}: the answer did not come, so the job may have been stored all the same.
   * {@link DuplicateJobError}: another job has its key, and it asked for `onConflict: 'reject'`.
   */
  readonly error: Error;
}

/**
 * The store refused some of the jobs of an `enqueueMany`, or all. What it took is stored and runs. With a `transaction`
 * the error of the statement itself is thrown instead, since none of the jobs can be committed any more.
 *
 * @example
 * ```ts
 * import { type EnqueueEntry, EnqueueManyError, JobsService, type TaskRef } from 'nestjs-jobs';
 *
 * type Mail = EnqueueEntry<TaskRef<{ userId: string }, null>>;
 *
 * // Gives back what is to be enqueued again.
 * export async function send(jobs: JobsService, mails: Mail[]): Promise<Mail[]> {
 *   try {
 *     await jobs.enqueueMany(mails);
 *     return [];
 *   } catch (error) {
 *     if (!(error instanceof EnqueueManyError)) throw error;
 *     return error.failed.map(({ index }) => mails[index]!);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export class EnqueueManyError extends Error {
  override readonly name = 'EnqueueManyError';

  constructor(
    /** The jobs that were stored, in the order of their entries. */
    readonly enqueued: readonly JobHandle[],
    /** The entries that were not, in their order. */
    readonly failed: readonly EnqueueFailure[],
  ) {
    const { index, error } = failed[0]!;
    super(
      `nestjs-jobs: ${failed.length} of ${enqueued.length + failed.length} jobs were not enqueued; the first of them is ` +
        `entries[${index}]: ${error.message.replace(/\.$/, '')}. The property "failed" has their indices, to enqueue ` +
        'them again once the cause is mended; "enqueued" has the handles of the others, which run.',
      { cause: error },
    );
  }
}
