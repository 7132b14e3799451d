import type { JobsWorker } from '../backend/jobs-worker.js';
import type { Queues } from '../client/queues.js';

/** A worker with waiting jobs and a free slot that asks for no work this long (ms) does not consume. */
const DEAF_AFTER = 20_000;

/** Whether a queue of this process is worked, and if not, why. @publicApi */
export interface Consumption {
  queue: string;
  consuming: boolean;
  /** What is wrong, when it is not consuming. */
  problem?: string;
}

/** @internal */
export async function consumptionOf(worker: JobsWorker, queues: Queues): Promise<Consumption> {
  const queue = worker.name;
  if (!worker.isRunning()) return { queue, consuming: false, problem: 'its worker stopped' };
  const silentFor = Date.now() - worker.lastFetchAt;
  if (silentFor > DEAF_AFTER) {
    const {
      active = 0,
      waiting = 0,
      prioritized = 0,
    } = await queues.get(queue).getJobCounts('active', 'waiting', 'prioritized');
    if (waiting + prioritized > 0 && active < worker.concurrency) {
      return { queue, consuming: false, problem: `jobs wait, but its worker asked for none in ${silentFor} ms` };
    }
  }
  return { queue, consuming: true };
}
