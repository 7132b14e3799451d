import type { Readable } from 'node:stream';
import { invalidArgument } from '../client/invalid-argument.error.js';

const types = new WeakMap<object, string>();

/** As in `text/csv; charset=utf-8`. */
const CONTENT_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?: *;[\x20-\x7e]*)?$/;
const LONGEST = 200;
/** @internal */
export const BINARY = 'application/octet-stream';

/**
 * Says what a Buffer or a stream is that a task returns: `resultRef.contentType`, and the `Content-Type` of
 * `GET /jobs/:id/result`.
 *
 * @returns what it was given.
 * @throws {@link InvalidArgumentError}
 * @example
 * ```ts
 * import { createReadStream } from 'node:fs';
 * import type { Readable } from 'node:stream';
 * import { Injectable } from '@nestjs/common';
 * import { Task, withContentType } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class Exports {
 *   @Task()
 *   rows({ file }: { file: string }): Readable {
 *     return withContentType(createReadStream(file), 'text/csv; charset=utf-8');
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function withContentType<Body extends Uint8Array | Readable>(body: Body, contentType: string): Body {
  if (!isContentType(contentType)) {
    throw invalidArgument('the content type', "a media type like 'text/csv; charset=utf-8'", contentType);
  }
  types.set(body, contentType);
  return body;
}

/** Whether it may stand in a header: with a line break in it, it would be two. @internal */
export function isContentType(text: unknown): text is string {
  return typeof text === 'string' && text.length <= LONGEST && CONTENT_TYPE.test(text);
}

/** @internal */
export function contentTypeOf(body: object): string {
  return types.get(body) ?? BINARY;
}
