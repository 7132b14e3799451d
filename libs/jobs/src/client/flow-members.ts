import { readCancelMark, readCancelRequest, type Cancellation } from './cancel-mark.js';
import type { Queues } from './queues.js';

/** A job of a flow, as BullMQ names it to the others. */
export interface FlowMember {
  readonly queue: string;
  readonly id: string;
}

/** What BullMQ fails a parent with, when a child failed that takes it along. */
const CHILD_FAILED = /^child (.+) failed$/;
/** Children that are read together. */
const PAGE = 500;

/** Of what BullMQ writes: prefix, queue and id, of which only the prefix may have colons. */
function memberOf(key: string): FlowMember {
  const [id, queue] = key.split(':').reverse();
  return { queue: queue!, id: id! };
}

/** The children of a job that have not ended, of which there may be many. @internal */
export async function* openChildren({ queue, id }: FlowMember, queues: Queues): AsyncGenerator<FlowMember[]> {
  const job = await queues.get(queue).getJob(id);
  if (!job) return;
  let cursor = 0;
  do {
    const page = await job.getDependencies({ unprocessed: { cursor, count: PAGE } });
    yield (page.unprocessed ?? []).map(memberOf);
    cursor = page.nextUnprocessedCursor ?? 0;
  } while (cursor !== 0);
}

/**
 * The cancellation of the child that a job is failed for. BullMQ overwrites with that failure whatever mark the job had
 * itself; and a job is not failed because another one was cancelled.
 *
 * @internal
 */
export async function cancellationOfChild(
  failure: string | undefined,
  queues: Queues,
): Promise<Cancellation | undefined> {
  const key = CHILD_FAILED.exec(failure ?? '')?.[1];
  if (key === undefined) return undefined;
  const { queue, id } = memberOf(key);
  const child = await queues.get(queue).getJob(id);
  return readCancelMark(child?.failedReason) ?? readCancelRequest(child?.failedReason);
}
