import { createHash } from 'node:crypto';
import type { StoredJob } from '../client/envelope.js';

/**
 * Of one that does another again, that of the first: what the first had done may have counted. Hashed, because whoever
 * knows the id of a job can look at it.
 *
 * @internal
 */
export function keyOfJob({ id, data }: StoredJob): string {
  return hashed('job', data.i ?? id!);
}

/** @internal */
export function hashed(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
