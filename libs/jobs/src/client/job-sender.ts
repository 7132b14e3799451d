import type { Job, Queue } from 'bullmq';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { SqlTransaction } from '../backend/sql-transaction.js';
import type { TaggedJob } from '../backend/tag-index.js';
import { withTimeout } from '../backend/with-timeout.js';
import type { JobEvents } from '../events/job-events.js';
import { DuplicateJobError } from './client.errors.js';
import { created, FirstOfItsId, type Sent } from './first-of-its-id.js';
import type { JobReader } from './job-reader.js';
import { KeyHolders } from './key-holders.js';
import type { PreparedJob } from './prepared-job.js';
import type { Queues } from './queues.js';

/** What the store answered to one job of many: the id of the job that there is now, or why there is none. */
type Answer = Error | string;

/** How often an id may be lost to somebody who removes its job at the same time. */
const MOST_TRIES = 5;
/** How often a key may be free, and taken by somebody else the next moment. */
const MOST_TRIES_FOR_KEY = 100;
/** Jobs that are looked at together. */
const LOOKS = 100;

/** Brings prepared jobs, and whatever else a producer asks, to the store. @internal */
export class JobSender {
  private readonly first: FirstOfItsId;
  private readonly holders: KeyHolders;

  constructor(
    private readonly queues: Queues,
    private readonly backend: QueueBackend,
    reader: JobReader,
    private readonly events: JobEvents,
    private readonly options: {
      readonly connectTimeout: number;
      readonly keepFor: number;
      /** Milliseconds for which the tag index names a job, beside those of its delay. */
      readonly taggedFor: number;
    },
  ) {
    this.first = new FirstOfItsId(queues, backend, reader);
    this.holders = new KeyHolders(backend, reader, options);
  }

  async send(job: PreparedJob, transaction: SqlTransaction | undefined): Promise<Sent> {
    this.queues.assertOpen();
    const deadline = this.deadline();
    const send = async (queue: Queue): Promise<Sent> => {
      const { id } = await queue.add(job.name, job.data, job.opts);
      return needsLook(job, id!) ? this.settle(job, id!, queue, transaction) : created(job);
    };
    if (job.data.t) await this.tag([job], transaction, deadline);
    if (transaction) return this.within(transaction, job.queue, send);
    return this.events.sending(
      [job],
      () => this.reach(() => send(this.queues.get(job.queue)), deadline),
      (sent) => sent.created,
    );
  }

  /**
   * One round trip for each queue, and what became of each job, in the order of `jobs`; for those with an id of the
   * caller's, and those whose key was taken, some more.
   *
   * @throws what kept the tags from being written, and nothing was sent; in a transaction, what a statement failed with.
   */
  sendMany(jobs: readonly PreparedJob[], transaction: SqlTransaction | undefined): Promise<(Sent | Error)[]> {
    const send = (): Promise<(Sent | Error)[]> => this.sendAll(jobs, transaction);
    // Of those in a transaction only the caller knows whether they will be there.
    if (transaction) return send();
    return this.events.sending(jobs, send, (outcomes, n) => {
      const sent = outcomes[n]!;
      return !(sent instanceof Error) && sent.created;
    });
  }

  private async sendAll(
    jobs: readonly PreparedJob[],
    transaction: SqlTransaction | undefined,
  ): Promise<(Sent | Error)[]> {
    this.queues.assertOpen();
    const deadline = this.deadline();
    await this.tag(jobs, transaction, deadline);
    const outcomes = new Map<PreparedJob, Sent | Error>();
    const send = async (queue: string, together: PreparedJob[]): Promise<void> => {
      const answers = transaction
        ? answersOf(together, await this.within(transaction, queue, (each) => each.addBulk(together)))
        : await this.sendTogether(queue, together, deadline);
      const open = new Map<PreparedJob, string>();
      for (const [n, job] of together.entries()) {
        const answer = answers[n]!;
        if (answer instanceof Error) outcomes.set(job, answer);
        else if (needsLook(job, answer)) open.set(job, answer);
        else outcomes.set(job, created(job));
      }
      await this.settleAll(open, queue, transaction, outcomes);
    };
    const queues = grouped(jobs, ({ queue }) => queue);
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

  private entriesOf({ id, data, start }: PreparedJob): TaggedJob[] {
    return (data.t ?? []).map((tag) => ({ tag, jobId: id, ttl: start.delay + this.options.taggedFor }));
  }

  /** Before the jobs are sent: what is in the index and was never stored does no harm, the reverse would. */
  private async tag(
    jobs: readonly PreparedJob[],
    transaction: SqlTransaction | undefined,
    deadline: number,
  ): Promise<void> {
    const tagged = jobs.flatMap((job) => this.entriesOf(job));
    if (tagged.length === 0) return;
    // Throws where there are no transactions.
    if (transaction) this.backend.createQueueIn(transaction, jobs[0]!.queue);
    await this.reach(() => this.backend.tags.add(tagged), deadline);
  }

  /** Adds the job again as long as what stands in its way is gone by the time that it is looked at. */
  private async settle(
    job: PreparedJob,
    answer: string,
    queue: Queue,
    transaction: SqlTransaction | undefined,
  ): Promise<Sent> {
    const most = job.uniqueness ? MOST_TRIES_FOR_KEY : MOST_TRIES;
    for (let [id, tries] = [answer, 1]; ; tries++) {
      if (!needsLook(job, id)) return created(job);
      const sent = await (job.uniqueness
        ? this.settleWithHolder(job, id, queue, transaction)
        : this.first.look(job, queue, transaction !== undefined));
      if (sent) return sent;
      if (tries === most) throw new Error(`nestjs-jobs: the job "${id}" is removed as often as it is added.`);
      id = (await queue.add(job.name, job.data, job.opts)).id!;
    }
  }

  private async settleWithHolder(
    job: PreparedJob,
    holderId: string,
    queue: Queue,
    transaction: SqlTransaction | undefined,
  ): Promise<Sent | undefined> {
    let isNotMade = false;
    try {
      const sent = await this.holders.settle(job, holderId, queue, transaction);
      isNotMade = sent !== undefined;
      return sent;
    } catch (error) {
      isNotMade = error instanceof DuplicateJobError;
      throw error;
    } finally {
      // What is left there goes by itself; but a throttled call may be made a thousand times a second.
      if (isNotMade && job.data.t) await this.backend.tags.remove(this.entriesOf(job)).catch(() => {});
    }
  }

  private async settleAll(
    open: ReadonlyMap<PreparedJob, string>,
    queueName: string,
    transaction: SqlTransaction | undefined,
    outcomes: Map<PreparedJob, Sent | Error>,
  ): Promise<void> {
    if (transaction) {
      for (const [job, answer] of open) {
        outcomes.set(
          job,
          await this.within(transaction, queueName, (queue) => this.settle(job, answer, queue, transaction)),
        );
      }
      return;
    }
    let away: Error | undefined;
    const settle = async (job: PreparedJob): Promise<Sent | Error> => {
      // Or a list that needs many looks would wait for a store that is away as often.
      if (away) return away;
      try {
        return await this.reach(() => this.settle(job, open.get(job)!, this.queues.get(queueName), undefined));
      } catch (error) {
        if (error instanceof BackendUnavailableError) away = error;
        return error as Error;
      }
    };
    // Of those with one key, the last one's payload is to be the newest.
    const groups = grouped([...open.keys()], ({ id, opts }) => opts.deduplication?.id ?? id);
    for (let n = 0; n < groups.length; n += LOOKS) {
      await Promise.all(
        groups.slice(n, n + LOOKS).map(async ([, jobs]) => {
          for (const job of jobs) outcomes.set(job, await settle(job));
        }),
      );
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

  private async sendTogether(queueName: string, jobs: PreparedJob[], deadline: number): Promise<Answer[]> {
    try {
      return await this.reach(async () => {
        const queue = this.queues.get(queueName);
        try {
          return answersOf(jobs, await queue.addBulk(jobs));
        } catch (error) {
          if (this.backend.isConnectionError(error)) throw error;
          return await this.answersAfter(error as Error, queue, jobs);
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
  private async answersAfter(error: Error, queue: Queue, jobs: PreparedJob[]): Promise<Answer[]> {
    if (this.backend.kind !== 'redis') return jobs.map(() => error);
    try {
      const states = await Promise.all(jobs.map(({ id }) => queue.getJobState(id)));
      return states.map((state, n) => (state === 'unknown' ? error : jobs[n]!.id));
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

function grouped(jobs: readonly PreparedJob[], nameOf: (job: PreparedJob) => string): [string, PreparedJob[]][] {
  const groups = new Map<string, PreparedJob[]>();
  for (const job of jobs) {
    const name = nameOf(job);
    const together = groups.get(name);
    if (together) together.push(job);
    else groups.set(name, [job]);
  }
  return [...groups];
}

/** Whether there may be another job in the place of this one. BullMQ answers with the id of the one that has the key. */
function needsLook(job: PreparedJob, answer: string): boolean {
  return job.uniqueness ? answer !== job.id : job.data.n !== undefined;
}

/** BullMQ answers some refusals of a batch with a negative number in the id's place, where `add` would throw. */
function answersOf(sent: readonly PreparedJob[], added: readonly Job[]): Answer[] {
  return sent.map(({ id, queue, uniqueness }, n) => {
    const answer: unknown = added[n]?.id;
    if (answer === id) return id;
    if (uniqueness && typeof answer === 'string' && !answer.startsWith('-')) return answer;
    return new Error(
      `nestjs-jobs: BullMQ answered ${String(answer)} in place of the id of a job in the queue "${queue}".`,
    );
  });
}
