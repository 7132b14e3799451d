import { z } from 'zod';
import { wholeNumber } from '../config/whole-number.js';
import { MOST_LISTED } from '../http/validated.js';

/** Each letter holds its payload. */
const MOST_LETTERS = 200;

const text = z.string('must be given once').min(1, 'must not be empty').max(1_000, 'must not be longer than 1000');

/** What the values may be is for the library to say. */
export const deadLettersQuerySchema = z.strictObject(
  {
    task: text.optional(),
    queue: text.optional(),
    error: text.optional(),
    tag: text.optional(),
    from: text.optional(),
    to: text.optional(),
    limit: wholeNumber(1, MOST_LETTERS).optional(),
    cursor: text.optional(),
  },
  { error: (issue) => (issue.code === 'unrecognized_keys' ? unknown(issue.keys) : undefined) },
);

function unknown(keys: readonly string[]): string {
  return `unknown: ${keys.slice(0, MOST_LISTED).join(', ')}`;
}
