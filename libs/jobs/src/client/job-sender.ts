import type { Job, Queue } from 'bullmq';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { SqlTransaction } from '../backend/sql-transaction.js';
import { withTimeout } from '../backend/with-timeout.js';
import { created, FirstOfItsId, type Sent } from './first-of-its-id.js';
import type { JobReader } from './job-reader.js';
import type { PreparedJob } from './prepared-job.js';
import type { Queues } from './queues.js';

/** What the store made of one job of many: undefined when it took it. */
type Refusal = Error | undefined;

/** How often an id may be lost to somebody who removes its job at the same time. */
const MOST_TRIES = 5;
/** Jobs that are looked at together. */
const LOOKS = 100;

/** Brings prepared jobs, and whatever else a producer asks, to the store. @internal */
export class JobSender {
  private readonly first: FirstOfItsId;

  constructor(
    private readonly queues: Queues,
    private readonly backend: QueueBackend,
    reader: JobReader,
    /** Milliseconds for which the tag index names a job, beside those of its delay. */
    private readonly options: { readonly connectTimeout: number; readonly taggedFor: number },
  ) {
    this.first = new FirstOfItsId(queues, backend, reader);
  }

  async send(job: PreparedJob, transaction: SqlTransaction | undefined): Promise<Sent> {
    this.queues.assertOpen();
    const isInTransaction = transaction !== undefined;
    const deadline = this.deadline();
    const send = async (queue: Queue): Promise<Sent> => {
      await queue.add(job.name, job.data, job.opts);
      return job.data.n === undefined ? created(job) : this.settle(job, queue, isInTransaction);
    };
    if (job.data.t) await this.tag([job], transaction, deadline);
    if (transaction) return this.within(transaction, job.queue, send);
    return this.reach(() => send(this.queues.get(job.queue)), deadline);
  }

  /**
   * One round trip for each queue, and what became of each job, in the order of `jobs`; for those with an id of the
   * caller's some more.
   *
   * @throws what kept the tags from being written, and nothing was sent; in a transaction, what a statement failed with.
   */
  async sendMany(jobs: readonly PreparedJob[], transaction: SqlTransaction | undefined): Promise<(Sent | Error)[]> {
    this.queues.assertOpen();
    const deadline = this.deadline();
    await this.tag(jobs, transaction, deadline);
    const outcomes = new Map<PreparedJob, Sent | Error>();
    const send = async (queue: string, together: PreparedJob[]): Promise<void> => {
      const answers = transaction
        ? refusalsOf(together, await this.within(transaction, queue, (each) => each.addBulk(together)))
        : await this.sendTogether(queue, together, deadline);
      const taken = together.filter((job, n) => {
        if (answers[n]) outcomes.set(job, answers[n]);
        return !answers[n];
      });
      await this.settleAll(taken, queue, transaction, outcomes);
    };
    const queues = byQueue(jobs);
    // The caller's client runs one statement at a time.
    if (transaction) for (const [queue, together] of queues) await send(queue, together);
    else await Promise.all(queues.map(([queue, together]) => send(queue, together)));
    return jobs.map((job) => outcomes.get(job)!);
  }

  /**
   * Producers do not wait for a backend that is away: they fail within `connectTimeout`, and nothing is sent before the
   * backend is there. Only what was sent and not answered in time may have been done all the same.
   */
  async reach<T>(work: () => Promise<T>, deadline = this.deadline()): Promise<T> {
    const { backend } = this;
    this.queues.assertOpen();
    const left = deadline - Date.now();
    if (left <= 0) throw this.unavailable(backend.lastConnectionError());
    let isRefused = false;
    const refuse = (): Error => {
      isRefused = true;
      return this.unavailable(backend.lastConnectionError());
    };
    const reached = (async () => {
      await backend.whenReady(left);
      // Two timers, of which the other may have been faster, and the backend be there by now.
      if (isRefused) throw refuse();
      return work();
    })();
    try {
      return await withTimeout(reached, left, refuse);
    } catch (error) {
      throw this.asUnavailable(error);
    }
  }

  /** Before the jobs are sent: what is in the index and was never stored does no harm, the reverse would. */
  private async tag(
    jobs: readonly PreparedJob[],
    transaction: SqlTransaction | undefined,
    deadline: number,
  ): Promise<void> {
    const tagged = jobs.flatMap(({ id, data, start }) => {
      return (data.t ?? []).map((tag) => ({ tag, jobId: id, ttl: start.delay + this.options.taggedFor }));
    });
    if (tagged.length === 0) return;
    // Throws where there are no transactions.
    if (transaction) this.backend.createQueueIn(transaction, jobs[0]!.queue);
    await this.reach(() => this.backend.tags.add(tagged), deadline);
  }

  /** Adds the job again as long as one that is not kept any more stands in its way. */
  private async settle(job: PreparedJob, queue: Queue, isInTransaction: boolean): Promise<Sent> {
    for (let tries = 1; ; tries++) {
      const sent = await this.first.look(job, queue, isInTransaction);
      if (sent) return sent;
      if (tries === MOST_TRIES) throw new Error(`nestjs-jobs: the job "${job.id}" is removed as often as it is added.`);
      await queue.add(job.name, job.data, job.opts);
    }
  }

  private async settleAll(
    jobs: readonly PreparedJob[],
    queueName: string,
    transaction: SqlTransaction | undefined,
    outcomes: Map<PreparedJob, Sent | Error>,
  ): Promise<void> {
    const named = jobs.filter(({ data }) => data.n !== undefined);
    for (const job of jobs) if (job.data.n === undefined) outcomes.set(job, created(job));
    if (transaction) {
      const settle = (job: PreparedJob) => (queue: Queue) => this.settle(job, queue, true);
      for (const job of named) outcomes.set(job, await this.within(transaction, queueName, settle(job)));
      return;
    }
    let away: Error | undefined;
    const settle = async (job: PreparedJob): Promise<Sent | Error> => {
      // Or a list that needs many looks would wait for a store that is away as often.
      if (away) return away;
      try {
        return await this.reach(() => this.settle(job, this.queues.get(queueName), false));
      } catch (error) {
        if (error instanceof BackendUnavailableError) away = error;
        return error as Error;
      }
    };
    for (let n = 0; n < named.length; n += LOOKS) {
      await Promise.all(named.slice(n, n + LOOKS).map(async (job) => outcomes.set(job, await settle(job))));
    }
  }

  /** Nothing ends the wait but the statement: one that was given up would still run in the caller's transaction. */
  private async within<T>(transaction: SqlTransaction, queue: string, work: (queue: Queue) => Promise<T>): Promise<T> {
    try {
      return await work(this.backend.createQueueIn(transaction, queue));
    } catch (error) {
      throw this.asUnavailable(error);
    }
  }

  private async sendTogether(queueName: string, jobs: PreparedJob[], deadline: number): Promise<Refusal[]> {
    try {
      return await this.reach(async () => {
        const queue = this.queues.get(queueName);
        try {
          return refusalsOf(jobs, await queue.addBulk(jobs));
        } catch (error) {
          if (this.backend.isConnectionError(error)) throw error;
          return await this.refusalsAfter(error as Error, queue, jobs);
        }
      }, deadline);
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

  /** Of all the round trips of one call together. */
  private deadline(): number {
    return Date.now() + this.options.connectTimeout;
  }

  private asUnavailable(error: unknown): unknown {
    if (error instanceof BackendUnavailableError || !this.backend.isConnectionError(error)) return error;
    return this.unavailable(error);
  }

  private unavailable(cause: unknown): Error {
    return new BackendUnavailableError(this.backend.location, this.options.connectTimeout, cause);
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
