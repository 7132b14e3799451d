import { ErrorCode, type Queue } from 'bullmq';

/** Brings a delayed job to a worker now. Harmless when its time came in the meantime. @internal */
export async function promoteIfDelayed(queue: Queue, jobId: string): Promise<void> {
  try {
    await queue.getBackend().promote(jobId);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== ErrorCode.JobNotInState && code !== ErrorCode.JobNotExist) throw error;
  }
}
