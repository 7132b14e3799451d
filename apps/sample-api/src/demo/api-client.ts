import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobStatus } from 'nestjs-jobs';
import type { DemoOptions } from './demo-options.js';
import { followLive } from './follow-live.js';
import type { JobNews } from './job-news.js';

const DEFAULT_WAIT_SECONDS = 1;

export interface AcceptedReport {
  id: string;
  pollUrl: string;
  retryAfter: number;
}

/** Speaks to the API as any client would: over HTTP, with nothing but its documented answers. */
export class ApiClient {
  constructor(private readonly baseUrl: string) {}

  async isAlive(): Promise<boolean> {
    try {
      const answer = await fetch(this.url('/health/live'), { signal: AbortSignal.timeout(2000) });
      return answer.ok && ((await answer.json()) as { status?: unknown }).status === 'ok';
    } catch {
      return false;
    }
  }

  async startReport({ source, groupBy, measure }: DemoOptions): Promise<AcceptedReport> {
    const answer =
      'dataset' in source
        ? await fetch(this.url('/reports'), {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ dataset: source.dataset, groupBy, measure }),
          })
        : await fetch(this.url(`/reports?${new URLSearchParams({ groupBy, measure }).toString()}`), {
            method: 'POST',
            headers: { 'content-type': 'text/csv' },
            body: Readable.toWeb(createReadStream(source.file)),
            duplex: 'half',
          });
    const { id, pollUrl } = (await expectOk(answer)) as { id: string; pollUrl: string };
    return { id, pollUrl, retryAfter: retryAfter(answer) ?? DEFAULT_WAIT_SECONDS };
  }

  /** Every status until the last one, asked for as often as the server wishes. */
  async *follow(report: AcceptedReport): AsyncGenerator<JobNews> {
    let wait = report.retryAfter;
    for (;;) {
      await delay(wait * 1000);
      const answer = await fetch(this.url(report.pollUrl));
      const status = (await expectOk(answer)) as JobStatus;
      yield { kind: 'status', status };
      if (status.terminal) {
        return;
      }
      wait = retryAfter(answer) ?? wait;
    }
  }

  /** The same by server-sent events: at once, and with what the task logs. */
  followLive(report: AcceptedReport): AsyncGenerator<JobNews> {
    return followLive(this.url(`${report.pollUrl}/events`), expectOk);
  }

  async download(path: string, target: string): Promise<void> {
    const answer = await fetch(this.url(path));
    if (!answer.ok || answer.body === null) {
      throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
    }
    await pipeline(Readable.fromWeb(answer.body), createWriteStream(target));
  }

  private url(path: string): URL {
    return new URL(path, this.baseUrl);
  }
}

async function expectOk(answer: Response): Promise<unknown> {
  const body: unknown = await answer.json().catch(() => undefined);
  if (!answer.ok) {
    const { message } = (body ?? {}) as { message?: string | string[] };
    const lines = [message ?? answer.statusText].flat();
    throw new Error(`The server said ${answer.status}: ${lines.join('; ')}`);
  }
  return body;
}

function retryAfter(answer: Response): number | undefined {
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
