import { InvalidJobsOptionsError, isPlainObject } from '../options/jobs-options.error.js';
import { InvalidEnqueueOptionsError } from './client.errors.js';
import { findNotJson } from './json-check.js';

/** What jobs carry along, and hand on to the jobs that they enqueue. @internal */
export type JobHeaders = Readonly<Record<string, string>>;

const HEADER_NAME = /^[A-Za-z0-9._-]{1,128}$/;
/** Bytes of JSON. Every job of a tree carries them. */
const MOST_HEADERS = 8 * 1024;
const MOST_TAGS = 16;
/** No control characters: tags are shown in lists and stand in keys of the store. */
const TAG = /^[^\p{Cc}]{1,64}$/u;

/** Checks the option `headers`; `path` is where it stands. @internal */
export function readHeaders(value: unknown, path: string): JobHeaders | undefined {
  if (value === undefined) return undefined;
  if (!isPlainObject(value)) throw new InvalidJobsOptionsError(path, "an object like { tenant: 'acme' }", value);
  for (const [name, text] of Object.entries(value)) {
    if (!HEADER_NAME.test(name)) {
      const expected = 'an object whose keys are names of 1 to 128 letters, digits, dots, dashes and underscores';
      throw new InvalidJobsOptionsError(path, `${expected}, which ${JSON.stringify(name.slice(0, 130))} is not`, value);
    }
    if (typeof text !== 'string' || findNotJson(text)) {
      const expected = 'a string without U+0000 and half surrogate pairs';
      throw new InvalidJobsOptionsError(`${path}.${name}`, expected, text);
    }
  }
  return value as JobHeaders;
}

/** The headers of a job: its own go before those that it inherits. Undefined when there are none. @internal */
export function mergeHeaders(
  inherited: JobHeaders | undefined,
  own: JobHeaders | undefined,
  path: string,
): JobHeaders | undefined {
  if (!inherited && !own) return undefined;
  const headers = { ...inherited, ...own };
  if (Object.keys(headers).length === 0) return undefined;
  const size = Buffer.byteLength(JSON.stringify(headers));
  if (size <= MOST_HEADERS) return headers;
  throw new InvalidEnqueueOptionsError(
    `nestjs-jobs: option "${path}" must be, together with what the job inherits, at most ${MOST_HEADERS} bytes of JSON, ` +
      `but is ${size}. Put what is large into the payload, or store it elsewhere.`,
  );
}

/** Whether a job can have it as a tag. @internal */
export function isTag(value: unknown): value is string {
  return typeof value === 'string' && TAG.test(value) && !findNotJson(value);
}

/** @internal */
export const TAG_RULE = 'a string of 1 to 64 characters, none of them a control character';

/** Checks the option `tags`, and leaves out what stands in it twice. @internal */
export function readTags(value: unknown, path: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new InvalidJobsOptionsError(path, "an array of strings like ['acme']", value);
  for (const [n, tag] of (value as unknown[]).entries()) {
    if (!isTag(tag)) throw new InvalidJobsOptionsError(`${path}[${n}]`, TAG_RULE, tag);
  }
  const tags = [...new Set(value as string[])];
  if (tags.length > MOST_TAGS) {
    throw new InvalidJobsOptionsError(path, `at most ${MOST_TAGS} different tags`, value);
  }
  return tags.length > 0 ? tags : undefined;
}
