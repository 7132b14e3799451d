import type { ServerResponse } from 'node:http';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { JobReader } from '../client/job-reader.js';
import type { JobStatus } from '../client/job-status.js';
import type { JobWatches, SeenJob } from '../client/job-watches.js';
import { JobAccess } from './job-access.js';
import { EventStream, type StreamEvent } from './event-stream.js';

/** Milliseconds: below what proxies allow, a minute most often. */
const HEARTBEAT = 15_000;
/** Lines of a log that are written together. */
const MOST_LINES = 100;
/** Of the id of the last event of a job that has ended: there is nothing to reconnect for. */
const END = 'end';

/** Streams of server-sent events, each about a job. @internal */
@Injectable()
export class JobStreams implements OnModuleDestroy {
  private readonly open = new Set<JobStream>();
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(private readonly access: JobAccess) {}

  get size(): number {
    return this.open.size;
  }

  /** Whether a client that reconnects has had everything. */
  static hasEnded(lastEventId: string | undefined): boolean {
    return lastEventId?.endsWith(END) ?? false;
  }

  start(id: string, response: ServerResponse, headers: Readonly<Record<string, string>>, lastEventId?: string): void {
    const stream: JobStream = new JobStream(
      id,
      response,
      headers,
      linesOf(lastEventId),
      this.access.watches,
      this.access.reader,
      () => {
        this.open.delete(stream);
        if (this.open.size > 0) return;
        clearInterval(this.heartbeat);
        this.heartbeat = undefined;
      },
    );
    this.open.add(stream);
    this.heartbeat ??= setInterval(() => this.open.forEach((each) => each.beat()), HEARTBEAT).unref();
  }

  /** Or the server would wait for clients that never leave. They reconnect, elsewhere. */
  onModuleDestroy(): void {
    clearInterval(this.heartbeat);
    for (const stream of this.open) stream.close();
  }
}

/** One client. */
class JobStream {
  private readonly stream: EventStream;
  private readonly stopWatching: () => void;
  /** What is to be told next; what came in between is not. */
  private next: SeenJob | undefined;
  private told: SeenJob | undefined;
  private isWriting = false;
  private isOver = false;

  constructor(
    private readonly id: string,
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
    private lines: number,
    watches: JobWatches,
    private readonly reader: JobReader,
    private readonly onOver: () => void,
  ) {
    this.stream = new EventStream(
      response,
      headers,
      () => void this.write(),
      () => this.over(),
    );
    // Also when nothing else has changed there may be lines of the log.
    const onSeen = (seen: SeenJob): void => {
      this.next = seen;
      void this.write();
    };
    this.stopWatching = watches.watch(id, onSeen, { always: true });
  }

  beat(): void {
    this.stream.beat();
  }

  close(): void {
    this.stream.end();
    this.over();
  }

  private over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stopWatching();
    this.onOver();
  }

  private async write(): Promise<void> {
    if (this.isWriting) return;
    this.isWriting = true;
    try {
      while (this.next && this.stream.isReady && !this.isOver) await this.writeNext();
    } finally {
      this.isWriting = false;
    }
  }

  private async writeNext(): Promise<void> {
    const seen = this.next!;
    const { status, lines } = seen;
    const hasEnded = status === undefined || status.terminal;
    // The last lines of a job may have come after they were counted.
    const { logs, isAll } = hasEnded || lines !== this.lines ? await this.logs() : { logs: [], isAll: true };
    const events: StreamEvent[] = logs.map((line) => ({ event: 'log', id: String(++this.lines), data: { line } }));
    if (isAll) {
      // While the lines were read there may have come another one.
      if (this.next === seen) this.next = undefined;
      const id = hasEnded ? `${this.lines}-${END}` : String(this.lines);
      const changes = this.told?.text === seen.text ? [] : changesOf(this.told?.status, status);
      for (const [event, data] of changes) events.push({ event, id, data });
      this.told = seen;
    }
    this.stream.write(events);
    if (isAll && hasEnded) this.close();
  }

  /** A store that is away comes back, and with the next status the lines are read. */
  private async logs(): Promise<{ logs: readonly string[]; isAll: boolean }> {
    try {
      const logs = await this.reader.logs(this.id, this.lines, MOST_LINES);
      return { logs, isAll: logs.length < MOST_LINES };
    } catch {
      return { logs: [], isAll: true };
    }
  }
}

/** A client that reconnects, or has missed something, is told where the job stands, whatever was before. */
function changesOf(before: JobStatus | undefined, now: JobStatus | undefined): [event: string, data: unknown][] {
  if (now === undefined) return [['gone', {}]];
  const { stage, progress, ...rest } = now;
  const { stage: stageBefore, progress: progressBefore, ...restBefore } = before ?? ({} as JobStatus);
  if (before === undefined || JSON.stringify(rest) !== JSON.stringify(restBefore)) return [['state', now]];
  const isOther = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
  return [
    ...(isOther(stage, stageBefore) ? [['stage', stage ?? null] as [string, unknown]] : []),
    ...(isOther(progress, progressBefore) ? [['progress', progress ?? null] as [string, unknown]] : []),
  ];
}

function linesOf(lastEventId: string | undefined): number {
  const lines = /^\d{1,9}/.exec(lastEventId ?? '');
  return lines ? Number(lines[0]) : 0;
}
