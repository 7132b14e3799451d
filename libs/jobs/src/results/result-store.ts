import type { Readable } from 'node:stream';

/** Bytes of a result: from the first to the last one, both included, counted from 0. @publicApi */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What was written. @publicApi */
export interface WrittenResult {
  /** Bytes. */
  readonly size: number;
  /** Of all bytes, as hexadecimal digits. */
  readonly sha256: string;
}

/** What {@link ResultStore.list} finds: a result, or what is left of one that was never finished. @publicApi */
export interface FoundResult {
  /**
   * `<queue>/<job id>/<name>`. The name is the store's own where a result is not finished, and only
   * {@link ResultStore.remove} takes such a key.
   */
  readonly key: string;
  /** When it was written, or begun, in milliseconds since the epoch, by the clock of whoever keeps it. */
  readonly writtenAt: number;
}

/**
 * Where results are kept that are too large for the queue. A store that an app brings itself promises what is said here.
 *
 * A key is `<home>-<queue>/<job id>/<name>`, each of the three 1 to 250 letters, digits, dots, dashes and underscores, and not `.`
 * or `..`. Names are made at random, so nothing is written twice under one key, and what was written never changes. Before
 * the queue stands what tells one store of jobs from another: several apps may share it.
 *
 * The idea is the result backends of Celery, and Temporal's external payload storage.
 *
 * @example
 * ```ts
 * import { createHash } from 'node:crypto';
 * import { Readable } from 'node:stream';
 * import { buffer } from 'node:stream/consumers';
 * import type { ByteRange, FoundResult, ResultStore, WrittenResult } from 'nestjs-jobs';
 *
 * // For tests only: it gathers whole results in memory.
 * export class MemoryResultStore implements ResultStore {
 *   private readonly kept = new Map<string, { bytes: Buffer; writtenAt: number }>();
 *
 *   async write(key: string, body: Readable): Promise<WrittenResult> {
 *     const bytes = await buffer(body);
 *     this.kept.set(key, { bytes, writtenAt: Date.now() });
 *     return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
 *   }
 *
 *   async read(key: string, range?: ByteRange): Promise<Readable | undefined> {
 *     const bytes = this.kept.get(key)?.bytes;
 *     return bytes && Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes], { objectMode: false });
 *   }
 *
 *   async remove(keys: readonly string[]): Promise<void> {
 *     for (const key of keys) this.kept.delete(key);
 *   }
 *
 *   async list(): Promise<{ results: FoundResult[] }> {
 *     return { results: [...this.kept].map(([key, { writtenAt }]) => ({ key, writtenAt })) };
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export interface ResultStore {
  /**
   * Resolves when the result is kept for good; before that nobody can read any of it. The body is read no faster than it
   * can be kept.
   *
   * Rejects when the body fails or is destroyed before its end, as of an attempt that is cut off by its time limit: then
   * the store lets go of the body and removes what it had written. What it cannot remove, {@link ResultStore.list} finds.
   *
   * @param contentType - for stores that tell others, such as S3. It is kept elsewhere, too.
   */
  write(key: string, body: Readable, contentType: string): Promise<WrittenResult>;
  /**
   * Undefined when there is none. What goes wrong later is an `error` of the stream. Whoever does not read it to its end
   * destroys it, and the store lets go of what it held for it.
   *
   * @param range - lies within the result.
   */
  read(key: string, range?: ByteRange): Promise<Readable | undefined>;
  /**
   * Those that are not there are no error. One that {@link ResultStore.list} found while it was being written is not kept,
   * and its `write` rejects.
   *
   * @param keys - of results, and all that {@link ResultStore.list} gave.
   */
  remove(keys: readonly string[]): Promise<void>;
  /**
   * All results, and what unfinished ones left behind, also those that are being written right now: some at a time, in
   * whatever order. What is written or removed meanwhile may be among them or not.
   *
   * @param cursor - what came with the results before; without one from the beginning.
   * @returns the cursor is missing with the last of them.
   */
  list(cursor?: string): Promise<{ readonly results: readonly FoundResult[]; readonly cursor?: string | undefined }>;
}
