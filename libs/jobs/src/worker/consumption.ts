import type { Queue } from 'bullmq';

/** Whether a queue of this process is worked, and if not, why. @publicApi */
export interface Consumption {
  queue: string;
  consuming: boolean;
  /** It begins nothing, because {@link Fleet.pauseProcess} said so: that is no fault. */
  paused?: true;
  /** What is wrong, when it is not consuming. */
  problem?: string;
  /** Its worker has ended by itself, and comes back only with the process. */
  stopped?: true;
}

/** Whether jobs wait in this queue that a worker with a free slot should have by now. @internal */
export async function owesJobs(queue: Queue): Promise<boolean> {
  const { waiting = 0, prioritized = 0, active = 0 } = await queue.getJobCounts('waiting', 'prioritized', 'active');
  if (waiting + prioritized === 0) return false;
  const [isPaused, limit, limitedFor] = await Promise.all([
    queue.isPaused(),
    queue.getGlobalConcurrency(),
    queue.getRateLimitTtl(),
  ]);
  return !isPaused && (limit === null || active < limit) && limitedFor <= 0;
}
