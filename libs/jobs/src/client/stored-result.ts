import { isPlainObject } from '../options/jobs-options.error.js';
import { KeptElsewhere, type ResultReference } from '../results/result-reference.js';

/** The one key of what is not a result as it stands. */
const KEY = 'nestjs-jobs';

interface Packed {
  readonly [KEY]:
    | { readonly skipped: string }
    | { readonly result: unknown; readonly by?: string }
    | { readonly at: ResultReference; readonly by?: string };
}

/** What is kept of a job that succeeded. @internal */
export interface StoredResult {
  /** Null also of one that is kept elsewhere. */
  readonly result: unknown;
  readonly elsewhere?: KeptElsewhere;
  /** Why it did nothing. */
  readonly reason?: string;
  /** The id of the job whose result it is. */
  readonly deduplicatedBy?: string;
}

/**
 * A result as BullMQ keeps it: as it is, unless it is kept elsewhere, is another job's or looks like something that was
 * packed.
 *
 * @internal
 */
export function packResult(result: unknown, by?: string): unknown {
  const own = by !== undefined && { by };
  if (result instanceof KeptElsewhere) return { [KEY]: { at: result.reference, ...own } } satisfies Packed;
  if (own) return { [KEY]: { result, ...own } } satisfies Packed;
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
  const by = packed.by !== undefined && { deduplicatedBy: packed.by };
  if ('at' in packed) return { result: null, elsewhere: new KeptElsewhere(packed.at), ...by };
  return { result: packed.result, ...by };
}

/** The result, or where it is. @internal */
export function resultIn(stored: unknown): unknown {
  const { result, elsewhere } = unpackResult(stored);
  return elsewhere ?? result;
}

function looksPacked(value: unknown): value is Packed {
  return isPlainObject(value) && KEY in value && isPlainObject(value[KEY]);
}
