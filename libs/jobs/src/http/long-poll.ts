import { createHash } from 'node:crypto';
import { BadRequestException } from '@nestjs/common';
import type { JobStatus } from '../client/job-status.js';
import type { JobWatches } from '../client/job-watches.js';
import { parseDuration } from '../options/option-reader.js';
import { headerOf, rawRequest, type PlatformRequest } from './platform.js';

/** Milliseconds: proxies close what is silent for a minute. */
const LONGEST_WAIT = 50_000;

/** Weak: it says that nothing has become of the job, not that each byte is the same. @internal */
export function etagOf(status: JobStatus): string {
  const { position: _moves, ...rest } = status;
  return `W/"${createHash('sha256').update(JSON.stringify(rest)).digest('base64url').slice(0, 22)}"`;
}

/** Whether a client has that already. @internal */
export function isKnown(request: PlatformRequest, etag: string): boolean {
  const known = headerOf(request, 'if-none-match');
  return known !== undefined && known.split(',').some((each) => each.trim() === etag || each.trim() === '*');
}

/** How long (ms) a client wants to wait for news. @throws {BadRequestException} @internal */
export function waitOf({ query }: PlatformRequest): number {
  const { wait } = (query ?? {}) as { wait?: unknown };
  if (wait === undefined) return 0;
  const isPlain = typeof wait === 'string' && /^\d{1,6}$/.test(wait);
  const milliseconds = isPlain ? Number(wait) * 1_000 : typeof wait === 'string' ? parseDuration(wait) : undefined;
  if (milliseconds !== undefined && milliseconds >= 0) return Math.min(milliseconds, LONGEST_WAIT);
  throw new BadRequestException(`"wait" must be a time like 30s, at most ${LONGEST_WAIT / 1_000}s, but it is not.`);
}

/**
 * Waits until the job has ended or, for a client that knows a status of it, until it has another one; at most `wait` ms, and
 * not for clients that are gone. Undefined when there is no job any more.
 *
 * @internal
 */
export function untilNews(
  watches: JobWatches,
  request: PlatformRequest,
  status: JobStatus,
  wait: number,
): Promise<JobStatus | undefined> {
  const knows = headerOf(request, 'if-none-match') !== undefined;
  const isNews = (seen: JobStatus): boolean => seen.terminal || (knows && !isKnown(request, etagOf(seen)));
  if (wait === 0 || isNews(status)) return Promise.resolve(status);
  const { socket } = rawRequest(request);
  return new Promise((resolve) => {
    let last: JobStatus | undefined = status;
    const end = (): void => {
      stop();
      clearTimeout(timer);
      socket.off('close', end);
      resolve(last);
    };
    const timer = setTimeout(end, wait);
    socket.once('close', end);
    const stop = watches.watch(status.id, (seen) => {
      last = seen.status;
      if (!last || isNews(last)) end();
    });
  });
}
