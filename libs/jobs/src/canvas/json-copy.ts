import { findNotJson } from '../client/json-check.js';
import { InvalidCanvasError } from './canvas.errors.js';

/**
 * A frozen copy, so that a signature is a value: what its maker changes later is not changed in it.
 *
 * @throws {@link InvalidCanvasError} for what is no JSON.
 * @internal
 */
export function jsonCopy<T>(value: T, place: string): T {
  const notJson = findNotJson(value);
  if (notJson) throw new InvalidCanvasError(`${place}, ${notJson.path},`, `JSON, but is ${notJson.found}`);
  return typeof value === 'object' && value !== null ? deepFreeze(structuredClone(value)) : value;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const each of Object.values(value)) deepFreeze(each);
  return Object.freeze(value);
}
