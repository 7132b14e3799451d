import type { QueueBackend } from '../backend/queue-backend.js';
import type { StoredJob } from '../client/envelope.js';
import { Queues } from '../client/queues.js';
import { BriefMap } from '../execution/brief-map.js';

/** A job that a worker of this process has, from its fetch until its end is stored. @internal */
export interface HeldJob {
  readonly job: StoredJob;
  /** What BullMQ knows this claim on the job by. */
  readonly token: string;
}

/** The jobs that this process has, and the way to let go of them unfinished. @internal */
export class HeldJobs {
  /** By id. A job that was lost and fetched again is held once: whatever the older run says would be refused. */
  private readonly held = new BriefMap<HeldJob>();
  private readonly returns = new Map<HeldJob, Promise<boolean>>();
  private readonly returned: string[] = [];
  private failure: Error | undefined;

  constructor(
    private readonly queues: Queues,
    private readonly backend: QueueBackend,
  ) {}

  get size(): number {
    return this.held.size;
  }

  /** In the order in which they were fetched. */
  get ids(): string[] {
    return this.held.keys();
  }

  /** The ids of the jobs that were given back, also of those that nothing runs for any more. */
  get givenBackIds(): readonly string[] {
    return this.returned;
  }

  /** Why a job could not be given back, if one could not. */
  get lastError(): Error | undefined {
    return this.failure;
  }

  countIn(queue: string): number {
    let count = 0;
    for (const { job } of this.held.values()) if (job.queueName === queue) count++;
    return count;
  }

  has(jobId: string): boolean {
    return this.held.has(jobId);
  }

  add(held: HeldJob): void {
    this.held.set(held.job.id!, held);
  }

  delete(held: HeldJob): void {
    this.held.delete(held.job.id!, held);
  }

  /** Lets another process have the job at once; once for each, however often it is asked. False when that failed. */
  giveBack(held: HeldJob): Promise<boolean> {
    let returning = this.returns.get(held);
    if (!returning) {
      returning = this.return(held);
      this.returns.set(held, returning);
    }
    return returning;
  }

  /** Whether the job was given back, waiting for it when that is under way. */
  async wasGivenBack(held: HeldJob): Promise<boolean> {
    return (await this.returns.get(held)) ?? false;
  }

  /** The job that was fetched first comes last, and so, where the last is the next, first again. */
  async giveBackAll(): Promise<void> {
    for (const held of this.held.values().reverse()) await this.giveBack(held);
  }

  private async return(held: HeldJob): Promise<boolean> {
    const { job, token } = held;
    try {
      const isDone = await this.backend.giveBack(this.queues.get(job.queueName), job.id!, token);
      if (isDone) this.returned.push(job.id!);
      return isDone;
    } catch (error) {
      // The store is away, most often. The claim ends with its lease, and the job runs again then.
      this.failure = error as Error;
      return false;
    }
  }
}
