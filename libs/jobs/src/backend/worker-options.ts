import type { WorkerOptions } from 'bullmq';
import { decidedBackoff } from '../retry/decided-backoff.js';
import { repeatStrategy } from '../schedule/alarm-pattern.js';
import type { WorkerSettings } from './queue-backend.js';

/**
 * The BullMQ worker options that hold on every backend.
 *
 * `maxStalledCount` is out of reach because BullMQ counts stalls apart from attempts; the executor sums the two.
 * The stalled check has one interval for the whole fleet, since Redis throttles it by whichever worker
 * checked last.
 *
 * @internal
 */
export function commonWorkerOptions({ concurrency, lease }: WorkerSettings): Omit<WorkerOptions, 'connection'> {
  return {
    autorun: false,
    concurrency,
    lockDuration: lease,
    stalledInterval: lease / 2,
    maxStalledCount: 1e9,
    runRetryDelay: 1_000,
    settings: { backoffStrategy: decidedBackoff, repeatStrategy },
  };
}
