import { createHash } from 'node:crypto';
import { BadRequestException, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { JobStatus } from '../client/job-status.js';
import { parseDuration } from '../options/option-reader.js';
import { JobAccess } from './job-access.js';
import { headerOf, isGone, onceGone, rawResponse, type PlatformRequest } from './platform.js';

/** Milliseconds: proxies close what is silent for a minute. */
const LONGEST_WAIT = 50_000;

/** Weak: it says that nothing has become of the job, not that each byte is the same. @internal */
export function etagOf(status: JobStatus): string {
  const { position: _moves, ...rest } = status;
  return `W/"${createHash('sha256').update(JSON.stringify(rest)).digest('base64url').slice(0, 22)}"`;
}

/** Whether a client has that already. Proxies may have made a strong one of it. @internal */
export function isKnown(request: PlatformRequest, etag: string): boolean {
  const known = headerOf(request, 'if-none-match');
  if (known === undefined) return false;
  const tags = known.split(',').map((each) => each.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag.replace(/^W\//, ''));
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

/** Requests that wait for news of a job. @internal */
@Injectable()
export class LongPolls implements OnModuleDestroy {
  /** How to end each. */
  private readonly waiting = new Set<() => void>();
  private isClosed = false;

  constructor(private readonly access: JobAccess) {}

  get size(): number {
    return this.waiting.size;
  }

  /**
   * Waits until the job has ended or, for a client that knows a status of it, until it has another one; at most `wait` ms,
   * and not for clients that are gone. Undefined when there is no job any more.
   */
  untilNews(request: PlatformRequest, reply: unknown, status: JobStatus, wait: number): Promise<JobStatus | undefined> {
    const knows = headerOf(request, 'if-none-match') !== undefined;
    const isNews = (seen: JobStatus): boolean => seen.terminal || (knows && !isKnown(request, etagOf(seen)));
    if (wait === 0 || this.isClosed || isNews(status) || isGone(request, reply)) return Promise.resolve(status);
    return new Promise((resolve) => {
      let last: JobStatus | undefined = status;
      const end = (): void => {
        this.waiting.delete(end);
        clearTimeout(timer);
        stopListening();
        stopWatching();
        // Or the server would wait for the client to close the connection, too.
        if (this.isClosed) rawResponse(reply).shouldKeepAlive = false;
        resolve(last);
      };
      this.waiting.add(end);
      const timer = setTimeout(end, wait);
      const stopListening = onceGone(request, reply, end);
      const stopWatching = this.access.watches.watch(status.id, (seen) => {
        last = seen.status;
        if (!last || isNews(last)) end();
      });
    });
  }

  /** Or the server would wait for them. They answer what they know, and their clients ask again, elsewhere. */
  onModuleDestroy(): void {
    this.isClosed = true;
    for (const end of this.waiting) end();
  }
}
