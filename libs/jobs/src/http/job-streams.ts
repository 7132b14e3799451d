import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { JobLog } from '../client/job-reader.js';
import { EventStream, STREAM_HEADERS } from './event-stream.js';
import { JobAccess } from './job-access.js';
import { END, JobStream } from './job-stream.js';
import { isGone, onceGone, rawRequest, takeReply, headerOf, type PlatformRequest } from './platform.js';

/** Milliseconds. @internal */
export interface StreamPace {
  /** Between two signs of life: below what proxies allow, a minute most often. */
  readonly heartbeat: number;
  /** For a client to take what it was sent. */
  readonly patience: number;
  /** The same, when this process ends. */
  readonly lastPatience: number;
}

/** @internal */
export const STREAM_PACE = Symbol.for('nestjs-jobs:stream-pace');
/** @internal */
export const DEFAULT_PACE: StreamPace = { heartbeat: 15_000, patience: 60_000, lastPatience: 1_000 };

/** Streams of server-sent events, each about a job. @internal */
@Injectable()
export class JobStreams implements OnModuleDestroy {
  private readonly open = new Set<JobStream>();
  /** Logs that are being read. */
  private readonly logs = new Map<string, Promise<JobLog>>();
  private heartbeat: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(
    private readonly access: JobAccess,
    @Inject(STREAM_PACE) private readonly pace: StreamPace,
  ) {}

  get size(): number {
    return this.open.size;
  }

  /** Answers a request with the events of a job, from now on or from where it was interrupted. */
  start(id: string, hasEnded: boolean, request: PlatformRequest, reply: unknown): void {
    const lastEventId = headerOf(request, 'last-event-id') ?? '';
    const { response, headers } = takeReply(reply);
    if (hasEnded && new RegExp(`^\\d+-${END}$`).test(lastEventId)) response.writeHead(204, headers).end();
    else if (rawRequest(request).method === 'HEAD') response.writeHead(200, { ...headers, ...STREAM_HEADERS }).end();
    // Nobody would tell that it has gone.
    else if (!isGone(request, reply)) this.stream(id, linesOf(lastEventId), request, response, headers);
  }

  /** Or the server would wait for clients that never leave. They reconnect, elsewhere. */
  onModuleDestroy(): void {
    this.isClosed = true;
    clearInterval(this.heartbeat);
    for (const stream of this.open) stream.close(this.pace.lastPatience);
  }

  private stream(
    id: string,
    lines: number,
    request: PlatformRequest,
    response: ServerResponse,
    headers: OutgoingHttpHeaders,
  ): void {
    const onOver = (): void => {
      stopListening();
      this.open.delete(stream);
      if (this.open.size > 0) return;
      clearInterval(this.heartbeat);
      this.heartbeat = undefined;
    };
    const stream: JobStream = new JobStream(
      id,
      lines,
      (onReady, onGone) => new EventStream(response, headers, this.pace.patience, onReady, onGone),
      { log: (...args) => this.log(...args), placed: (status) => this.access.placed(status) },
      onOver,
    );
    const stopListening = onceGone(request, response, () => stream.over());
    this.open.add(stream);
    if (this.isClosed) return stream.close(this.pace.lastPatience);
    this.heartbeat ??= setInterval(() => this.open.forEach((each) => each.beat()), this.pace.heartbeat).unref();
    stream.watch(this.access.watches);
  }

  /** Read once for all clients that are at the same line: most often that is all of them. */
  private log(id: string, after: number, most: number): Promise<JobLog> {
    const key = `${after} ${most} ${id}`;
    let log = this.logs.get(key);
    if (!log) {
      log = this.access.log(id, after, most).finally(() => this.logs.delete(key));
      this.logs.set(key, log);
    }
    return log;
  }
}

function linesOf(lastEventId: string): number {
  const lines = /^\d{1,9}(?=$|-)/.exec(lastEventId);
  return lines ? Number(lines[0]) : 0;
}
