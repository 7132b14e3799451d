import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { JobStatus } from '../client/job-status.js';
import { BINARY, isContentType } from '../results/content-type.js';
import type { ByteRange } from '../results/result-store.js';
import type { StoredResults } from '../results/stored-results.js';

/** The result of a job as an answer's body. @internal */
export interface ResultContent {
  /** Bytes. */
  readonly size: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
  /** @throws {@link ResultGoneError}, {@link ResultStoreError} */
  open(range: ByteRange | undefined): Promise<Readable>;
}

/** @internal */
export function contentOf({ id, result, resultRef }: JobStatus, stored: StoredResults): ResultContent {
  if (!resultRef) {
    const body = Buffer.from(JSON.stringify(result ?? null));
    const etag = `"${createHash('sha256').update(body).digest('hex')}"`;
    const open = async ({ start, end }: ByteRange = { start: 0, end: body.length - 1 }): Promise<Readable> =>
      Readable.from([body.subarray(start, end + 1)], { objectMode: false });
    return { size: body.length, headers: headersOf(id, 'application/json'), etag, open };
  }
  const { size, contentType, sha256 } = resultRef;
  const open = (range: ByteRange | undefined): Promise<Readable> => stored.open(resultRef, range);
  const type = isContentType(contentType) ? contentType : BINARY;
  return { size, headers: headersOf(id, type), etag: `"${sha256}"`, open };
}

/** What a task returns comes from this app's host: a browser must not take it for a page or a script of the app. */
function headersOf(id: string, contentType: string): Record<string, string> {
  const isJson = contentType === 'application/json';
  return {
    'Content-Type': isJson ? 'application/json; charset=utf-8' : contentType,
    'Content-Disposition': isJson ? 'inline' : `attachment; filename="${id}"`,
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'private, no-cache',
    'Accept-Ranges': 'bytes',
  };
}
