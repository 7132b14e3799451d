import { InvalidResultKeyError } from './invalid-result-key.error.js';

const PART = String.raw`(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,250}`;
/** Between the name of a result and what a store adds to it while the result is not finished. @internal */
export const UNFINISHED = '~';

const OF_RESULT = new RegExp(`^${PART}/${PART}/${PART}$`);
const FOUND = new RegExp(`^${PART}/${PART}/${PART}(?:${UNFINISHED}[A-Za-z0-9._~%-]+)?$`);

/** Whether a result can be under it. @internal */
export function isResultKey(key: string | undefined): key is string {
  return key !== undefined && OF_RESULT.test(key);
}

/** Of what is written and read. @throws {InvalidResultKeyError} @internal */
export function requireResultKey(key: string): string {
  if (!isResultKey(key)) throw new InvalidResultKeyError(key);
  return key;
}

/** Also of what was never finished. @throws {InvalidResultKeyError} @internal */
export function requireFoundKey(key: string): string {
  if (!isFoundKey(key)) throw new InvalidResultKeyError(key);
  return key;
}

/** Whether a store can have written this: what others keep at the same place is not listed, and so not removed. @internal */
export function isFoundKey(key: string): boolean {
  return FOUND.test(key);
}

/** The two halves of a key of what was never finished; the second is undefined for a result. @internal */
export function splitFoundKey(key: string): [key: string, unfinished: string | undefined] {
  const at = key.indexOf(UNFINISHED);
  return at === -1 ? [key, undefined] : [key.slice(0, at), key.slice(at + UNFINISHED.length)];
}
