import type { Job, Queue } from 'bullmq';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { SqlTransaction } from '../backend/sql-transaction.js';
import { withTimeout } from '../backend/with-timeout.js';
import type { PreparedJob } from './prepared-job.js';
import type { Queues } from './queues.js';

/** What the store made of a job: undefined when it took it. @internal */
export type Refusal = Error | undefined;

/** Brings prepared jobs, and whatever else a producer asks, to the store. @internal */
export class JobSender {
  constructor(
    private readonly queues: Queues,
    private readonly backend: QueueBackend,
    private readonly connectTimeout: number,
  ) {}

  async send(job: PreparedJob, transaction: SqlTransaction | undefined): Promise<void> {
    const add = (queue: Queue): Promise<Job> => queue.add(job.name, job.data, job.opts);
    if (transaction) await this.addIn(transaction, job.queue, add);
    else await this.reach(() => add(this.queues.get(job.queue)));
  }

  /**
   * One round trip for each queue, and what became of each job, in the order of `jobs`.
   *
   * @throws only in a transaction, what a statement of it failed with.
   */
  async sendMany(jobs: readonly PreparedJob[], transaction: SqlTransaction | undefined): Promise<Refusal[]> {
    const refusals = new Map<PreparedJob, Refusal>();
    const send = async (queue: string, together: PreparedJob[]): Promise<void> => {
      const answers = transaction
        ? refusalsOf(together, await this.addIn(transaction, queue, (each) => each.addBulk(together)))
        : await this.sendTogether(queue, together);
      for (const [n, job] of together.entries()) refusals.set(job, answers[n]);
    };
    const queues = byQueue(jobs);
    // The caller's client runs one statement at a time.
    if (transaction) for (const [queue, together] of queues) await send(queue, together);
    else await Promise.all(queues.map(([queue, together]) => send(queue, together)));
    return jobs.map((job) => refusals.get(job));
  }

  /**
   * Producers do not wait for a backend that is away: they fail within `connectTimeout`, and nothing is sent before the
   * backend is there. Only what was sent and not answered in time may have been done all the same.
   */
  async reach<T>(work: () => Promise<T>): Promise<T> {
    const { backend, connectTimeout } = this;
    const reached = (async () => {
      await backend.whenReady(connectTimeout);
      return work();
    })();
    try {
      return await withTimeout(reached, connectTimeout, () => this.unavailable(backend.lastConnectionError()));
    } catch (error) {
      throw this.asUnavailable(error);
    }
  }

  /** Nothing ends the wait but the statement: one that was given up would still run in the caller's transaction. */
  private async addIn<T>(transaction: SqlTransaction, queue: string, add: (queue: Queue) => Promise<T>): Promise<T> {
    try {
      return await add(this.backend.createQueueIn(transaction, queue));
    } catch (error) {
      throw this.asUnavailable(error);
    }
  }

  private async sendTogether(queueName: string, jobs: PreparedJob[]): Promise<Refusal[]> {
    try {
      return await this.reach(async () => {
        const queue = this.queues.get(queueName);
        try {
          return refusalsOf(jobs, await queue.addBulk(jobs));
        } catch (error) {
          if (this.backend.isConnectionError(error)) throw error;
          return await this.refusalsAfter(error as Error, queue, jobs);
        }
      });
    } catch (error) {
      return jobs.map(() => error as Error);
    }
  }

  /**
   * In SQL a batch is one statement, and no job of it is there after an error. On Redis it is a pipeline, of which
   * BullMQ throws the first error: the others may have been added, and one that failed may have left its data behind.
   * A job runs when it is in one of the queue's lists, and only then.
   */
  private async refusalsAfter(error: Error, queue: Queue, jobs: PreparedJob[]): Promise<Refusal[]> {
    if (this.backend.kind !== 'redis') return jobs.map(() => error);
    try {
      const states = await Promise.all(jobs.map(({ id }) => queue.getJobState(id)));
      return states.map((state) => (state === 'unknown' ? error : undefined));
    } catch {
      // Nobody knows what was stored, which is what this error says.
      throw this.unavailable(error);
    }
  }

  private asUnavailable(error: unknown): unknown {
    if (error instanceof BackendUnavailableError || !this.backend.isConnectionError(error)) return error;
    return this.unavailable(error);
  }

  private unavailable(cause: unknown): Error {
    return new BackendUnavailableError(this.backend.location, this.connectTimeout, cause);
  }
}

function byQueue(jobs: readonly PreparedJob[]): [string, PreparedJob[]][] {
  const queues = new Map<string, PreparedJob[]>();
  for (const job of jobs) {
    const together = queues.get(job.queue);
    if (together) together.push(job);
    else queues.set(job.queue, [job]);
  }
  return [...queues];
}

/** BullMQ answers some refusals of a batch with a negative number in the id's place, where `add` would throw. */
function refusalsOf(sent: readonly PreparedJob[], added: readonly Job[]): Refusal[] {
  return sent.map(({ id, queue }, n) => {
    const answer = added[n]?.id;
    if (answer === id) return undefined;
    return new Error(`nestjs-jobs: BullMQ answered ${answer} in place of the id of a job in the queue "${queue}".`);
  });
}
