import { Logger } from '@nestjs/common';
import type { JobsWorker } from '../backend/jobs-worker.js';
import { RunningJobs } from '../execution/running-jobs.js';
import { CancelWatch } from './cancel-watch.js';

/** Tells the running jobs of a worker what becomes of its claims on them, and looks then whether they are cancelled. @internal */
export function watchClaims(worker: JobsWorker, running: RunningJobs, cancels: CancelWatch): void {
  const logger = new Logger('Jobs');
  const { name: queue } = worker;
  worker.on('locksRenewed', ({ jobIds }) => {
    for (const id of jobIds) running.get(id)?.claimRenewed(worker.renewalAskedAt);
    cancels.look(queue, jobIds);
  });
  worker.on('lockRenewalFailed', (jobIds) => {
    // What BullMQ could not renew may be the claim of the attempt before, of a job that this process has fetched again.
    for (const id of jobIds) {
      running
        .get(id)
        ?.verifyClaim()
        .catch((error: Error) => {
          // Asked again with whatever the task says of its job.
          logger.debug(`Could not look whose job ${id} is: ${error.message}`);
        });
    }
  });
  worker.on('failed', (job) => {
    if (job && job.finishedOn === undefined) cancels.lookAtDelayed(queue, job.id!, job.delay);
  });
  worker.on('stalled', (jobId) => {
    logger.warn(`Job ${jobId} was left behind by a process that died or froze; it runs again.`);
  });
}
