import parseRange from 'range-parser';
import type { ByteRange } from '../results/result-store.js';

/**
 * The bytes that a `Range` header asks for; undefined for all of them, which is the answer to several ranges as well.
 *
 * @internal
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (header === undefined) return undefined;
  const ranges = parseRange(size, header);
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return undefined;
  return ranges[0];
}
