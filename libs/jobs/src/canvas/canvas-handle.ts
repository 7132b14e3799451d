import { JobNotFoundError } from '../client/client.errors.js';
import { JobHandle, type ExpectedStart, type JobOperations } from '../client/job-handle.js';
import type { JobStatus } from '../client/job-status.js';
import type { CanvasCounts, CanvasReader } from './canvas-reader.js';
import type { CanvasShape } from './canvas-shape.js';

/** Where a canvas stands: the status of its last job, and how many of its parts are done. @publicApi */
export interface CanvasStatus extends JobStatus {
  readonly counts: CanvasCounts;
  /** Whether it has ended, however. */
  readonly ready: boolean;
  readonly successful: boolean;
  readonly failed: boolean;
}

/**
 * A started canvas. Its id is that of its last job: of the last step of a chain, of the body of a chord; of a group, of a
 * job of the library's own that gathers the results. `jobs.job(id)` is a handle of it anywhere.
 *
 * The idea is Celery's `AsyncResult` and `GroupResult`.
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
   * @throws {@link JobNotFoundError}
   */
  override async status(): Promise<CanvasStatus> {
    const [status, counts] = await Promise.all([super.status(), this.#reader.counts(this.id)]);
    if (!counts) throw new JobNotFoundError(this.id);
    const { state, terminal } = status;
    return { ...status, counts, ready: terminal, successful: state === 'succeeded', failed: state === 'failed' };
  }

  /**
   * Cancels the whole canvas, as {@link JobHandle.cancel} does each of its jobs; with `flow: false` only its last job.
   *
   * @throws {@link JobNotFoundError}; {@link InvalidArgumentError}.
   */
  override cancel(options: { reason?: string; flow?: boolean } = {}): Promise<boolean> {
    return super.cancel({ flow: true, ...options });
  }
}
