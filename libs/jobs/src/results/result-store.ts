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

/** @publicApi */
export interface FoundResult {
  readonly key: string;
  /** When it was written, in milliseconds since the epoch. */
  readonly writtenAt: number;
}

/**
 * Where results are kept that are too large for the queue. Keys are `<queue>/<job>/<random>`, letters, digits and `._-` in
 * each part; what is written under one is never changed.
 *
 * The idea is the result backends of Celery, and Temporal's external payload storage.
 *
 * @publicApi
 */
export interface ResultStore {
  /** Resolves when it is kept. Of one that fails in between nothing need be left, and nothing is read. */
  write(key: string, body: Readable, contentType: string): Promise<WrittenResult>;
  /** Undefined when there is none. */
  read(key: string, range?: ByteRange): Promise<Readable | undefined>;
  /** Those that are not there are no error. */
  remove(keys: readonly string[]): Promise<void>;
  /** All, some at a time, in whatever order; without a cursor from the beginning. */
  list(cursor?: string): Promise<{ readonly results: readonly FoundResult[]; readonly cursor?: string }>;
}
