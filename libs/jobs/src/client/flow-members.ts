import type { QueueBackend } from '../backend/queue-backend.js';
import { readCancelMark, readCancelRequest, type Cancellation } from './cancel-mark.js';
import { withEnvelope, type StoredJob } from './envelope.js';
import type { Queues } from './queues.js';

/** A job of a flow, as BullMQ names it to the others. */
export interface FlowMember {
  readonly queue: string;
  readonly id: string;
}

/** What BullMQ fails a parent with, when a child failed that takes it along. */
const CHILD_FAILED = /^child (.+) failed$/;
/** Children that are read together on Redis, which scans a set: none is missed while others leave it. */
const PAGE = 500;
/** Failed children that are looked at for the first of them. */
const MOST_FAILED = 100;
/** In SQL BullMQ counts those that it has read, and would skip as many as have left meanwhile. */
const ALL = 2 ** 31 - 1;

/** Of what BullMQ writes: prefix, queue and id, of which only the prefix may have colons. @internal */
export function memberOf(key: string): FlowMember {
  const [id, queue] = key.split(':').reverse();
  return { queue: queue!, id: id! };
}

/** Whether a job of a canvas waits for nothing; of other jobs that is not known without asking. @internal */
export function isLeaf({ data: { c } }: StoredJob): boolean {
  return c !== undefined && c.g === undefined && c.b === undefined && !c.s && !c.x && !c.n;
}

/** The children of a job that have not ended, of which there may be many. @internal */
export async function* openChildren(
  { queue, id }: FlowMember,
  queues: Queues,
  { kind }: Pick<QueueBackend, 'kind'>,
): AsyncGenerator<FlowMember[]> {
  const job = await queues.get(queue).getJob(id);
  if (!job || isLeaf(withEnvelope(job))) return;
  const count = kind === 'redis' ? PAGE : ALL;
  let cursor = 0;
  do {
    const page = await job.getDependencies({ unprocessed: { cursor, count } });
    yield (page.unprocessed ?? []).map(memberOf);
    cursor = page.nextUnprocessedCursor ?? 0;
  } while (cursor !== 0);
}

/**
 * The child that a job is failed for; undefined when it is not kept, and for any other failure. Until the job has ended,
 * another child may still overwrite what it ends for.
 *
 * @internal
 */
export async function failedChild(failure: string | undefined, queues: Queues): Promise<StoredJob | undefined> {
  const key = CHILD_FAILED.exec(failure ?? '')?.[1];
  if (key === undefined) return undefined;
  const { queue, id } = memberOf(key);
  const child = await queues.get(queue).getJob(id);
  return child && withEnvelope(child);
}

/**
 * The child that a part of a canvas is failed for: of those that failed the first, and of those that were cancelled one only
 * when none has failed. What BullMQ says is the last.
 *
 * @internal
 */
export async function firstFailedChild(
  job: StoredJob,
  failure: string,
  queues: Queues,
): Promise<StoredJob | undefined> {
  const { failed = [] } = await job.getDependencies({ failed: { cursor: 0, count: MOST_FAILED } });
  const found = failed.map(memberOf).map(({ queue, id }) => queues.get(queue).getJob(id));
  const children = (await Promise.all([...found, failedChild(failure, queues)]))
    .filter((child) => child !== undefined)
    .map(withEnvelope)
    .sort((a, b) => (a.finishedOn ?? Infinity) - (b.finishedOn ?? Infinity));
  return children.find((child) => !cancellationIn(child)) ?? children[0];
}

/** Of a job that has failed in the eyes of BullMQ. @internal */
export function cancellationIn(job: StoredJob | undefined): Cancellation | undefined {
  return readCancelMark(job?.failedReason) ?? readCancelRequest(job?.failedReason);
}
