import type { FailedJob } from '../backend/failed-jobs.js';
import { queueOfJobId } from '../client/job-id.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';

/** Where a page ended: a time and an id, which stay what they are whatever is added and removed. @internal */
export type Place = Pick<FailedJob, 'at' | 'id'>;

/** @internal */
export function cursorOf({ at, id }: Place): string {
  return Buffer.from(JSON.stringify([at, id])).toString('base64url');
}

/** @throws {@link InvalidJobsOptionsError} that names `path`. @internal */
export function placeOf(cursor: unknown, path: string): Place | undefined {
  if (cursor === undefined) return undefined;
  const place = typeof cursor === 'string' ? decode(cursor) : undefined;
  if (place) return place;
  throw new InvalidJobsOptionsError(path, 'the nextCursor of a page before, as list() gave it', cursor);
}

function decode(cursor: string): Place | undefined {
  try {
    const [at, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) return undefined;
    return typeof id === 'string' && queueOfJobId(id) !== undefined ? { at, id } : undefined;
  } catch {
    return undefined;
  }
}
