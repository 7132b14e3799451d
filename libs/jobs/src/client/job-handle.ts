import type { Duration } from '../options/jobs-options.js';
import type { Patience } from '../results/stored-results.js';
import { BlockingResultError } from '../execution/execution.errors.js';
import { JobCancelledError, JobFailedError, JobNotFoundError, ResultTimeoutError } from './client.errors.js';
import { currentJob } from './current-job.js';
import { requireDuration, requireReason } from './invalid-argument.error.js';
import type { JobState, JobStatus } from './job-status.js';
import type { JobTree } from './job-tree.js';

/** What a handle asks of the client. @internal */
export interface JobOperations {
  placedStatus(id: string): Promise<JobStatus | undefined>;
  untilEnded(id: string, timeout: number): Promise<JobStatus | 'timeout' | undefined>;
  cancel(id: string, reason: string | undefined, isFlow: boolean): Promise<boolean>;
  tree(id: string): Promise<JobTree | undefined>;
  /** The result of a job that succeeded. */
  resultOf(status: JobStatus, patience: Patience): Promise<unknown>;
}

/** What is known of a job's start without asking: right after it was enqueued, the truth. @internal */
export interface ExpectedStart {
  readonly state: JobState;
  /** Milliseconds. */
  readonly delay: number;
}

/** Milliseconds. */
const SHORTEST_READ = 500;
const NOW: ExpectedStart = { state: 'pending', delay: 0 };

/**
 * One job, by its id. Making a handle asks nothing of the backend; each method does.
 *
 * @publicApi
 */
export class JobHandle<Result = unknown> {
  /** `<queue>_<uuid>`, or `<queue>_` and the caller's own id; can be handed to a client as the key to the job's status. */
  readonly id: string;
  /**
   * Whether the call that gave this handle made the job. False when the `id` that the call named has a job already, or
   * when another job has its key (`unique`, `debounce`, `throttle`): then everything here is said of that one. False too
   * for a handle of `jobs.job(id)`, which makes none.
   */
  readonly created: boolean;
  // Really private: what stands behind a handle knows the backend's password, and handles get serialized and logged.
  readonly #operations: JobOperations;
  readonly #expected: ExpectedStart;

  /** @internal */
  constructor(id: string, operations: JobOperations, expected: ExpectedStart = NOW, created = false) {
    this.id = id;
    this.created = created;
    this.#operations = operations;
    this.#expected = expected;
  }

  /** @internal */
  get expected(): ExpectedStart {
    return this.#expected;
  }

  /**
   * Where the job stands now; of one that is pending, also how many jobs of its queue are before it (`position`).
   *
   * @throws {@link JobNotFoundError}
   */
  async status(): Promise<JobStatus> {
    const status = await this.#operations.placedStatus(this.id);
    if (!status) throw new JobNotFoundError(this.id);
    return status;
  }

  /**
   * Waits until the job has ended, and gives its result; of a task that returns a Buffer or a stream a {@link ResultStream},
   * which is opened when it is read.
   *
   * @param options - `timeout`: how long to wait, as milliseconds or `'30s'`; 30 s by default. The job goes on after it.
   * @throws {@link JobFailedError} with what its last attempt threw; {@link JobCancelledError};
   * {@link ResultTimeoutError}; {@link JobNotFoundError}; {@link ResultGoneError} and {@link ResultStoreError} for a large result that cannot be read from `results.store`;
   * {@link BackendUnavailableError} when the backend was away to the
   * end of the timeout; {@link BlockingResultError} at once inside a task that runs, since a task that waits for another
   * job holds a slot that this one may need; {@link InvalidArgumentError}.
   * @example
   * ```ts
   * import type { JobHandle } from 'nestjs-jobs';
   *
   * async function pages(job: JobHandle<{ pages: number }>): Promise<number> {
   *   return (await job.result({ timeout: '1m' })).pages;
   * }
   * ```
   */
  async result(options: { timeout?: Duration } = {}): Promise<Result> {
    const current = currentJob();
    if (current && !current.ended) throw new BlockingResultError(current.id, this.id);
    const timeout = requireDuration('the timeout of result()', options.timeout ?? '30s');
    const deadline = Date.now() + timeout;
    const status = await this.#operations.untilEnded(this.id, timeout);
    if (status === 'timeout') throw new ResultTimeoutError(this.id, timeout);
    if (!status) throw new JobNotFoundError(this.id);
    if (status.state === 'cancelled') throw new JobCancelledError(this.id, status.reason);
    if (status.state === 'failed') throw new JobFailedError(this.id, status.task, status.error!);
    // However little time is left, a store of results that is there gets the chance to answer.
    const left = Math.max(deadline - Date.now(), SHORTEST_READ);
    const onTimeout = (): Error => new ResultTimeoutError(this.id, timeout);
    return (await this.#operations.resultOf(status, { timeout: left, onTimeout })) as Result;
  }

  /**
   * Cancels the job. One that waits will not run any more: its id still answers, with the state `cancelled` and the reason.
   * One that runs, in whichever process, is asked to stop: `job.signal` is aborted with {@link JobCancelledError} there,
   * `status.cancelRequested` says so until it has ended, and after the module's `cancelGrace` (30 s) the attempt is ended
   * while its code runs on. It ends `cancelled` when it throws, and `succeeded` when it returns all the same.
   *
   * @param options - `reason`: shown in the status; at most 500 characters. `flow`: also cancels, at any depth, the children
   * that a job of a BullMQ flow waits for. They are marked and stay, so that none lets its parent run; a parent that one of
   * them takes along ends `cancelled` too.
   * @returns true when the job is cancelled now or has been asked to stop; false when it had ended otherwise before.
   * @throws {@link JobNotFoundError}; {@link InvalidArgumentError}.
   */
  async cancel(options: { reason?: string; flow?: boolean } = {}): Promise<boolean> {
    const { reason, flow = false } = options;
    return this.#operations.cancel(this.id, requireReason(reason), flow);
  }

  /**
   * The job and those that it waits for, or has waited for: the parts of a canvas. At most 100 children of each job are
   * shown, and 1,000 jobs in all; `more` says how many are not.
   *
   * @throws {@link JobNotFoundError}; {@link BackendUnavailableError} within `connectTimeout`.
   * @example
   * ```ts
   * import type { JobsService, JobTree } from 'nestjs-jobs';
   *
   * export async function print(jobs: JobsService, id: string): Promise<void> {
   *   const show = ({ task, state, children }: JobTree, indent: string): void => {
   *     console.log(`${indent}${task}: ${state}`);
   *     for (const child of children) show(child, `${indent}  `);
   *   };
   *   show(await jobs.job(id).tree(), '');
   * }
   * ```
   */
  async tree(): Promise<JobTree> {
    const tree = await this.#operations.tree(this.id);
    if (!tree) throw new JobNotFoundError(this.id);
    return tree;
  }
}
