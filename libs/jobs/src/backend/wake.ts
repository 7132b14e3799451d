import { ErrorCode, type Queue } from 'bullmq';
import { promoteIfDelayed } from './promote-marked.js';

/** BullMQ's first priority, which nothing is enqueued with. */
const BEFORE_ALL = 0;

/** Brings a parked job to a worker now, before every other job of its queue. Harmless when it does not wait any more. @internal */
export async function wake(queue: Queue, jobId: string): Promise<void> {
  // Either may come first.
  await Promise.all([beforeAll(queue, jobId), promoteIfDelayed(queue, jobId)]);
}

async function beforeAll(queue: Queue, jobId: string): Promise<void> {
  try {
    await queue.getBackend().changePriority(jobId, BEFORE_ALL);
  } catch (error) {
    if ((error as { code?: unknown }).code !== ErrorCode.JobNotExist) throw error;
  }
}
