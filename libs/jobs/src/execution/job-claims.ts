import type { StoredJob } from '../client/envelope.js';
import type { Queues } from '../client/queues.js';

/** Whether this process still has the jobs that it runs. @internal */
export class JobClaims {
  constructor(
    private readonly queues: Queues,
    /** Milliseconds after its last renewal in which nobody else can have got a job. */
    readonly lease: number,
  ) {}

  /**
   * Whether no other attempt has begun since this one did, and none is about to. BullMQ counts each fetch of a job; its
   * token would not do, since a worker uses the same one again.
   */
  async holds({ id, queueName, attemptsStarted }: StoredJob): Promise<boolean> {
    const queue = this.queues.get(queueName);
    // In this order: one that is fetched in between is found by the count.
    if ((await queue.getJobState(id!)) !== 'active') return false;
    return (await queue.getJob(id!))?.attemptsStarted === attemptsStarted;
  }
}
