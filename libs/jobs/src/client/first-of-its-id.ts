import type { Queue } from 'bullmq';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { JobEnvelope, StoredJob } from './envelope.js';
import type { ExpectedStart } from './job-handle.js';
import type { JobReader } from './job-reader.js';
import type { JobStatus } from './job-status.js';
import type { PreparedJob } from './prepared-job.js';
import type { Queues } from './queues.js';

/** What became of a job that was sent. @internal */
export interface Sent {
  /** Of the job that there is now. */
  readonly id: string;
  /** False: there was one before, of its id or with its key. */
  readonly created: boolean;
  readonly start: ExpectedStart;
}

/**
 * Tells a job that a call made from the one of the same id that was there before. BullMQ answers the same in both cases,
 * so each call writes a nonce into its job and reads back whose stands there.
 *
 * @internal
 */
export class FirstOfItsId {
  constructor(
    private readonly queues: Queues,
    private readonly backend: QueueBackend,
    private readonly reader: JobReader,
  ) {}

  /**
   * Looks at the job right after it was added to `queue`; undefined when it must be added again, because one that had
   * the id was not kept any more.
   */
  async look(job: PreparedJob, queue: Queue, isInTransaction: boolean): Promise<Sent | undefined> {
    const stored = (await queue.getJob(job.id)) as StoredJob | undefined;
    // Removed by somebody a moment ago: adding it again is what would have come of calling a little later.
    if (!stored) return undefined;
    if ((stored.data as JobEnvelope | null)?.n === job.data.n) return created(job);
    // What the transaction itself made before is there for nobody else.
    if (isInTransaction && stored.finishedOn === undefined)
      return { id: job.id, created: false, start: startOf(stored) };
    const status = await this.reader.status(job.id);
    if (status) return { id: job.id, created: false, start: startIn(status) };
    await this.backend.forget(this.queues.get(job.queue), job.id, stored.finishedOn ?? 0);
    return undefined;
  }
}

/** @internal */
export function created({ id, start }: PreparedJob): Sent {
  return { id, created: true, start };
}

/** Of a job that has not ended, as far as it shows without its state. @internal */
export function startOf(job: StoredJob): ExpectedStart {
  const delay = Math.max(0, job.timestamp + (job.opts.delay ?? 0) - Date.now());
  return { state: delay > 0 ? 'scheduled' : 'pending', delay };
}

/** @internal */
export function startIn({ state, scheduledFor }: JobStatus): ExpectedStart {
  const waits = state === 'scheduled' || state === 'retrying';
  const delay = waits && scheduledFor !== undefined ? Math.max(0, Date.parse(scheduledFor) - Date.now()) : 0;
  return { state, delay };
}
