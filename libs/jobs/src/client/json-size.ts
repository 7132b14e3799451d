/** The most bytes that one UTF-16 unit takes in JSON: `\u001f`. */
const WIDEST_CHARACTER = 6;
/** `-1.2345678901234567e+100`, and a comma. */
const WIDEST_NUMBER = 25;

/**
 * The size of `value` as JSON, in bytes, if it is more than `limit`; undefined if it is not.
 *
 * What is far from the limit, as nearly everything is, is only estimated: it is turned into JSON elsewhere anyway, and
 * doing that twice is felt.
 *
 * @param value - JSON, checked before.
 * @internal
 */
export function jsonSizeOver(value: unknown, limit: number): number | undefined {
  if (atMost(value, limit) <= limit) return undefined;
  const size = Buffer.byteLength(JSON.stringify(value));
  return size > limit ? size : undefined;
}

/** Never less than the size; stops counting when that is beyond the limit. */
function atMost(value: unknown, limit: number): number {
  if (typeof value === 'string') return value.length * WIDEST_CHARACTER + 3;
  if (typeof value !== 'object' || value === null) return WIDEST_NUMBER;
  let size = 3;
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      size += atMost(item, limit - size);
      if (size > limit) return size;
    }
    return size;
  }
  for (const key in value) {
    size += key.length * WIDEST_CHARACTER + 4 + atMost((value as Record<string, unknown>)[key], limit - size);
    if (size > limit) return size;
  }
  return size;
}
