import { JobNotFoundError } from '../client/client.errors.js';
import { JobHandle, type ExpectedStart, type JobOperations } from '../client/job-handle.js';
import type { JobStatus } from '../client/job-status.js';
import type { CanvasCounts, CanvasReader } from './canvas-reader.js';
import type { CanvasShape } from './canvas-shape.js';

/**
 * Where a canvas stands: the status of its last job, and how many of its parts are done.
 *
 * The idea is Celery's `GroupResult`: `ready()`, `successful()`, `failed()` and `completed_count()`.
 *
 * @publicApi
 */
export interface CanvasStatus extends JobStatus {
  readonly counts: CanvasCounts;
  /** Whether it has ended, however: its state is final. Parts of it may run on. */
  readonly ready: boolean;
  /** Whether its state is `succeeded`. */
  readonly successful: boolean;
  /** Whether its state is `failed`; false when it was cancelled. */
  readonly failed: boolean;
}

/**
 * A started canvas. Its id is that of its last job: of the last step of a chain, of the body of a chord; of a group, of a
 * job of the library's own that gathers the results. `jobs.job(id)` is a handle of it anywhere, without `counts`, `parent`
 * and `children`.
 *
 * The idea is Celery's `AsyncResult` and `GroupResult`.
 *
 * @typeParam Result - what `result()` gives. It rejects with the error of the part that failed first.
 * @example
 * ```ts
 * import { chain, group, type JobsService, taskContract } from 'nestjs-jobs';
 *
 * const list = taskContract<string, string[]>('folder.list');
 * const index = taskContract<{ files: string[]; kind: string }, number>('files.index');
 *
 * export async function follow(jobs: JobsService, folder: string): Promise<unknown[]> {
 *   const kinds = ['text', 'image'].map((kind) => index.s({ kind }, { into: 'files' }));
 *   const started = await jobs.start(chain(list.s(folder), group(kinds)));
 *   const { counts, ready } = await started.status();
 *   console.log(`${counts.succeeded} of ${counts.total} are done`, ready);
 *   // The list of files, the numbers of both kinds, and the first of them alone.
 *   return [await started.parent?.result(), await started.result(), await started.children[0]?.result()];
 * }
 * ```
 *
 * @publicApi
 */
export class CanvasHandle<Result = unknown> extends JobHandle<Result> {
  readonly #shape: CanvasShape;
  readonly #operations: JobOperations;
  readonly #reader: CanvasReader;

  /** @internal */
  constructor(
    shape: CanvasShape,
    operations: JobOperations,
    reader: CanvasReader,
    expected: ExpectedStart = { state: 'blocked', delay: 0 },
  ) {
    super(shape.id, operations, expected, true);
    this.#shape = shape;
    this.#operations = operations;
    this.#reader = reader;
  }

  /**
   * The step before, of a chain: `handle.parent?.result()` walks from its end to its beginning. Undefined for the first
   * step, and before a group that was streamed.
   */
  get parent(): CanvasHandle | undefined {
    const parent = this.#shape.parent?.();
    return parent && new CanvasHandle(parent, this.#operations, this.#reader);
  }

  /**
   * The members of the group, or of the header of the chord, in their order. Of a group that comes after a step they may
   * not be there yet: then their handles say {@link JobNotFoundError}. Empty for a group of a large iterable; `tree()`
   * reads those.
   */
  get children(): CanvasHandle[] {
    return (this.#shape.children?.() ?? []).map((child) => new CanvasHandle(child, this.#operations, this.#reader));
  }

  /**
   * Where the canvas stands now. The counts are read without its members, however many.
   *
   * @throws {@link JobNotFoundError}; {@link BackendUnavailableError} within `connectTimeout`.
   */
  override async status(): Promise<CanvasStatus> {
    const [status, counts] = await Promise.all([super.status(), this.#reader.counts(this.id)]);
    if (!counts) throw new JobNotFoundError(this.id);
    const { state, terminal } = status;
    return { ...status, counts, ready: terminal, successful: state === 'succeeded', failed: state === 'failed' };
  }

  /**
   * Cancels the whole canvas, as {@link JobHandle.cancel} does each of its jobs; with `flow: false` only its last job. Parts
   * that are just being added are cancelled too; links and errbacks that have been started go on.
   *
   * @param options - `reason`: shown in each status; at most 500 characters. `flow`: true by default.
   * @returns true when it is cancelled now, or its last job has been asked to stop; false when it had ended before.
   * @throws {@link JobNotFoundError}; {@link InvalidArgumentError}.
   */
  override cancel(options: { reason?: string; flow?: boolean } = {}): Promise<boolean> {
    return super.cancel({ flow: true, ...options });
  }
}
