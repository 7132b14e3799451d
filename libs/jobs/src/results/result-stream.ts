import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ResultReference } from './result-reference.js';

/**
 * What a task returned as a Buffer or a stream, as `handle.result()` gives it. Nothing is opened before it is read, so one
 * that is not read costs nothing.
 *
 * @example
 * ```ts
 * import { createWriteStream } from 'node:fs';
 * import { pipeline } from 'node:stream/promises';
 * import type { JobHandle, ResultStream } from 'nestjs-jobs';
 *
 * export async function save(job: JobHandle<ResultStream>, file: string): Promise<number> {
 *   const export_ = await job.result({ timeout: '5m' });
 *   await pipeline(export_, createWriteStream(file));
 *   return export_.size;
 * }
 * ```
 *
 * @publicApi
 */
export class ResultStream extends Readable implements ResultReference {
  readonly ref: string;
  readonly size: number;
  readonly contentType: string;
  readonly sha256: string;
  readonly #open: () => Promise<Readable>;
  #source: Readable | undefined;
  #chunks: AsyncIterator<unknown> | undefined;

  /** @internal */
  constructor({ ref, size, contentType, sha256 }: ResultReference, open: () => Promise<Readable>) {
    super();
    this.ref = ref;
    this.size = size;
    this.contentType = contentType;
    this.sha256 = sha256;
    this.#open = open;
  }

  /** All of it, in memory. @throws {@link ResultGoneError}, {@link ResultStoreError} */
  bytes(): Promise<Buffer> {
    return buffer(this);
  }

  /** As the task that comes next gets it. */
  toJSON(): ResultReference {
    const { ref, size, contentType, sha256 } = this;
    return { ref, size, contentType, sha256 };
  }

  /** @internal */
  override _read(): void {
    this.pull().catch((error: Error) => this.destroy(error));
  }

  /** @internal */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#source?.destroy();
    done(error);
  }

  private async pull(): Promise<void> {
    if (!this.#chunks) {
      this.#source = await this.#open();
      // It was given up meanwhile.
      if (this.destroyed) this.#source.destroy();
      this.#chunks = this.#source[Symbol.asyncIterator]();
    }
    const { done, value } = await this.#chunks.next();
    if (!this.destroyed) this.push(done ? null : value);
  }
}
