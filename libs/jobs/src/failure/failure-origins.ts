import { Injectable } from '@nestjs/common';
import type { StoredJob } from '../client/envelope.js';
import { queueOfJobId } from '../client/job-id.js';
import { JobReader, type FoundJob } from '../client/job-reader.js';
import { readStatus } from '../client/read-status.js';
import type { Tell } from '../client/tell.js';
import { failureOf, type JobFailure } from './job-failure.js';

const FIRST_WAIT = 50;
const LONGEST_WAIT = 5_000;

/** What became of the job whose failure a handler job is for: it did fail, it did not, or it is not known yet. @internal */
export type Origin =
  | { readonly kind: 'final'; readonly failure: JobFailure }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'released'; readonly until: number };

/**
 * Handler jobs are stored before the failures that they are for. A process that dies in between leaves one whose job runs
 * again, and may end well.
 *
 * @internal
 */
@Injectable()
export class FailureOrigins {
  constructor(private readonly jobs: JobReader) {}

  async look(handlerJob: StoredJob, tell: Tell): Promise<Origin> {
    const told = handlerJob.data.p as JobFailure;
    const id = handlerJob.data.f!;
    let found: FoundJob | undefined;
    await tell(async () => {
      found = await this.jobs.find(queueOfJobId(id) ?? told.queue, id);
    });
    // Discarded, or kept no longer, while the handler waited for its turn; or its id is that of another job by now.
    if (!found || new Date(found.job.timestamp).toISOString() !== told.createdAt) {
      const endedWell = await this.wasWithdrawn(handlerJob, tell);
      return endedWell ? skipped(id, 'not kept any more') : { kind: 'final', failure: told };
    }
    const { job, state } = found;
    const status = readStatus(job, state);
    if (status.state === 'failed') return { kind: 'final', failure: failureOf(job) };
    if (status.terminal) return skipped(id, status.state);
    const wait = Math.min(FIRST_WAIT * 2 ** handlerJob.attemptsStarted, LONGEST_WAIT);
    return { kind: 'released', until: Date.now() + wait };
  }

  /** Perhaps since the handler job was fetched. */
  private async wasWithdrawn({ queueName, id }: StoredJob, tell: Tell): Promise<boolean> {
    let isWithdrawn = false;
    await tell(async () => {
      isWithdrawn = (await this.jobs.find(queueName, id!))?.job.data.u !== undefined;
    });
    return isWithdrawn;
  }
}

function skipped(id: string, state: string): Origin {
  return { kind: 'skipped', reason: `job ${id} did not fail: it was run again, and is ${state}` };
}
