import type { Queue } from 'bullmq';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { SqlTransaction } from '../backend/sql-transaction.js';
import { DuplicateJobError } from './client.errors.js';
import type { StoredJob } from './envelope.js';
import { startIn, startOf, type Sent } from './first-of-its-id.js';
import type { ExpectedStart } from './job-handle.js';
import { madeAt } from './job-id.js';
import type { JobReader } from './job-reader.js';
import type { JobState } from './job-status.js';
import type { PreparedJob } from './prepared-job.js';

/** It ended otherwise than well, and so has no right to its key. */
const IN_VAIN: readonly JobState[] = ['failed', 'cancelled'];

/** The job that has a key, as it was found. */
interface Holder {
  readonly start: ExpectedStart;
  /** Whether others must leave the key to it. */
  readonly isInTheWay: boolean;
}

/**
 * What comes of a job whose key another one has. BullMQ frees a key when its job ends, and only then; one with a time
 * limit not even that. So whoever finds a key taken looks at the job that has it: one that is cancelled and that no
 * worker has seen yet stands in nobody's way.
 *
 * @internal
 */
export class KeyHolders {
  constructor(
    private readonly backend: QueueBackend,
    private readonly reader: JobReader,
    private readonly options: {
      /** Milliseconds for which a job that succeeded is kept. */
      readonly keepFor: number;
      readonly taggedFor: number;
    },
  ) {}

  /**
   * Undefined when the job must be added again, because the key may be free now.
   *
   * @throws {@link DuplicateJobError}
   */
  async settle(
    job: PreparedJob,
    holderId: string,
    queue: Queue,
    transaction: SqlTransaction | undefined,
  ): Promise<Sent | undefined> {
    const { key, until, onConflict } = job.uniqueness!;
    if (onConflict === 'replace') {
      const replaced = await this.replace(job, holderId, queue, transaction);
      if (replaced || until === 'started') return replaced;
    }
    const holder = await this.find(job, holderId, queue, transaction);
    if (!holder?.isInTheWay) {
      const wasTaken = await queue.getBackend().removeDeduplicationKey(engineKeyOf(job), holderId);
      // It had the key when this job was sent, and has given it up since: so this call came before that end.
      const wasLate = !wasTaken && onConflict === 'return' && holder?.start.state === 'succeeded';
      return wasLate ? { id: holderId, created: false, start: holder.start } : undefined;
    }
    if (onConflict === 'reject') throw new DuplicateJobError(job.name, key, holderId);
    return { id: holderId, created: false, start: holder.start };
  }

  /** By now the key may be that of another job than a moment ago. */
  private async replace(
    job: PreparedJob,
    holderId: string,
    queue: Queue,
    transaction: SqlTransaction | undefined,
  ): Promise<Sent | undefined> {
    const { data, opts, start, uniqueness } = job;
    const now = Date.now();
    // Before, as with every job.
    await this.tag(job, holderId);
    const replacement = {
      data: JSON.stringify(data),
      priority: opts.priority ?? 0,
      attempts: opts.attempts ?? 1,
      now,
      due: (opts.timestamp ?? now) + start.delay,
      maxWait: uniqueness?.maxWait,
      freesKey: uniqueness?.until === 'started',
    };
    const replaced = await this.backend.replaceUnbegun(queue, engineKeyOf(job), replacement, transaction);
    if (!replaced) return undefined;
    const { id, delay } = replaced;
    if (id !== holderId) await this.tag(job, id);
    return { id, created: false, start: { state: delay > 0 ? 'scheduled' : 'pending', delay } };
  }

  private async tag({ data, start }: PreparedJob, jobId: string): Promise<void> {
    if (!data.t) return;
    const ttl = start.delay + this.options.taggedFor;
    await this.backend.tags.add(data.t.map((tag) => ({ tag, jobId, ttl })));
  }

  private async find(
    { uniqueness }: PreparedJob,
    holderId: string,
    queue: Queue,
    transaction: SqlTransaction | undefined,
  ): Promise<Holder | undefined> {
    if (transaction) {
      // What the transaction itself made is there for nobody else.
      const stored = (await queue.getJob(holderId)) as StoredJob | undefined;
      const isOpen = stored?.finishedOn === undefined && stored?.deferredFailure === undefined;
      if (stored && isOpen) return { start: startOf(stored), isInTheWay: true };
    }
    const isForTime = typeof uniqueness!.until === 'number';
    const status = await this.reader.status(holderId);
    if (status) {
      const isInTheWay = status.terminal ? isForTime && !IN_VAIN.includes(status.state) : true;
      return { start: startIn(status), isInTheWay };
    }
    if (!isForTime || !this.mayHaveSucceeded(holderId)) return undefined;
    return { start: { state: 'succeeded', delay: 0 }, isInTheWay: true };
  }

  /** Of a job that is not there. One that would still be kept can only have been removed before its end. */
  private mayHaveSucceeded(jobId: string): boolean {
    const at = madeAt(jobId);
    return at === undefined || Date.now() - at >= this.options.keepFor;
  }
}

function engineKeyOf({ opts }: PreparedJob): string {
  return opts.deduplication!.id;
}
