import type { TaskRef } from '../task/task-ref.js';
import { currentJob } from './current-job.js';
import type { EnqueueEntryOptions, EnqueueOptions, ResolvedEntryOptions } from './enqueue-options.js';
import { mergeHeaders, type JobHeaders } from './headers-and-tags.js';

/** One job as the caller wants it, his options checked. @internal */
export interface EnqueueCall {
  readonly ref: TaskRef;
  readonly payload: unknown;
  readonly options: ResolvedEntryOptions;
  /** The options as they were given. */
  readonly given: EnqueueEntryOptions | EnqueueOptions | undefined;
  /** Inherited ones included. */
  readonly headers: JobHeaders | undefined;
  /** The id of the outermost of the jobs that it is enqueued from; undefined outside of tasks. */
  readonly rootId: string | undefined;
  /** The place in a list that complaints name, as in `entries[3]`. */
  readonly entry: string | undefined;
}

/**
 * Adds what a job inherits of the one in which it is enqueued.
 *
 * @throws {@link AttemptEndedError} when that was ended while its code ran on.
 * @internal
 */
export function enqueueCall(
  call: Omit<EnqueueCall, 'headers' | 'rootId' | 'entry'>,
  entry: string | undefined,
): EnqueueCall {
  const parent = currentJob();
  parent?.assertNotCutOff?.(entry ? 'enqueueMany' : 'enqueue');
  const path = entry ? `${entry}.options.headers` : 'headers';
  const { ref, payload, options, given } = call;
  const headers = mergeHeaders(parent?.headers, options.headers, path);
  return { ref, payload, options, given, headers, rootId: parent?.rootId, entry };
}
