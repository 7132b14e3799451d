import { isPlainObject } from '../options/jobs-options.error.js';

/** The one key of what is not a result as it stands. */
const KEY = 'nestjs-jobs';

interface Packed {
  readonly [KEY]: { readonly skipped: string } | { readonly result: unknown; readonly by?: string };
}

/** What is kept of a job that succeeded. @internal */
export interface StoredResult {
  readonly result: unknown;
  /** Why it did nothing. */
  readonly reason?: string;
  /** The id of the job whose result it is. */
  readonly deduplicatedBy?: string;
}

/** A result as BullMQ keeps it: as it is, unless it is another job's or looks like something that was packed. @internal */
export function packResult(result: unknown, by?: string): unknown {
  if (by !== undefined) return { [KEY]: { result, by } } satisfies Packed;
  return looksPacked(result) ? ({ [KEY]: { result } } satisfies Packed) : result;
}

/** Kept in the result's place, so that it costs no round trip and is stored with the end itself. @internal */
export function packSkip(reason: string): unknown {
  return { [KEY]: { skipped: reason } } satisfies Packed;
}

/** @internal */
export function unpackResult(stored: unknown): StoredResult {
  if (!looksPacked(stored)) return { result: stored ?? null };
  const packed = stored[KEY];
  if ('skipped' in packed) return { result: null, reason: packed.skipped };
  return { result: packed.result, ...(packed.by !== undefined && { deduplicatedBy: packed.by }) };
}

function looksPacked(value: unknown): value is Packed {
  return isPlainObject(value) && KEY in value && isPlainObject(value[KEY]);
}
