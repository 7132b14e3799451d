import { inspect } from 'node:util';
import { InvalidCanvasError } from './canvas.errors.js';

/** @internal */
export function invalidCanvas(place: string, expected: string, actual: unknown): InvalidCanvasError {
  const shown =
    typeof actual === 'string' ? JSON.stringify(actual) : inspect(actual, { depth: 0, breakLength: Infinity });
  return new InvalidCanvasError(place, `${expected}, but is ${shown.slice(0, 80)}`);
}
