import type { JobLog } from '../client/job-reader.js';
import type { JobStatus } from '../client/job-status.js';
import type { JobWatches, SeenJob } from '../client/job-watches.js';
import type { EventStream, StreamEvent } from './event-stream.js';

/** Lines of a log that are read together. */
const MOST_LINES = 100;
/** Characters that they should not have more of: as much is held for each client that is slow. */
const MANY_CHARACTERS = 64 * 1024;
/** Of the id of the last event of a job that has ended: there is nothing to reconnect for. @internal */
export const END = 'end';

/** What a stream reads. @internal */
export interface StreamSource {
  log(id: string, after: number, most: number): Promise<JobLog>;
  /** The status with its place in the queue. */
  placed(status: JobStatus): Promise<JobStatus>;
}

/** One client, that is told of one job. @internal */
export class JobStream {
  private readonly stream: EventStream;
  private stopWatching: (() => void) | undefined;
  /** What is to be told next; what came in between is not. */
  private next: SeenJob | undefined;
  private told: SeenJob | undefined;
  /** Lines that are read together: few of a task that logs long ones. */
  private most = MOST_LINES / 10;
  private isWriting = false;
  private isOver = false;

  /** @param lines - of the log, that the client has had. */
  constructor(
    private readonly id: string,
    private lines: number,
    open: (onReady: () => void, onGone: () => void) => EventStream,
    private readonly source: StreamSource,
    private readonly onOver: () => void,
  ) {
    this.stream = open(
      () => void this.write(),
      () => this.over(),
    );
  }

  watch(watches: JobWatches): void {
    const onSeen = (seen: SeenJob): void => {
      this.next = seen;
      void this.write();
    };
    // Also when nothing else has changed there may be lines of the log.
    this.stopWatching = watches.watch(this.id, onSeen, { always: true });
  }

  beat(): void {
    this.stream.beat();
  }

  close(patience?: number): void {
    this.stream.end(patience);
    this.over();
  }

  /** The client has gone, or has been told everything. */
  over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.next = undefined;
    this.stopWatching?.();
    this.onOver();
  }

  private async write(): Promise<void> {
    if (this.isWriting) return;
    this.isWriting = true;
    try {
      while (this.next && this.stream.isReady && !this.isOver) await this.writeNext(this.next);
    } finally {
      this.isWriting = false;
    }
  }

  private async writeNext(seen: SeenJob): Promise<void> {
    const { status } = seen;
    const hasEnded = status === undefined || status.terminal;
    // The last lines of a job may have come after they were counted.
    const hasLines = hasEnded || seen.lines !== this.lines;
    const { lines, isAll } = hasLines ? await this.newLines(hasEnded) : { lines: [], isAll: true };
    const changes = isAll && this.told?.text !== seen.text ? await this.changesTo(status) : [];
    if (this.isOver) return;
    const events: StreamEvent[] = lines.map((line) => ({ event: 'log', id: String(++this.lines), data: { line } }));
    if (isAll) {
      // While the lines were read there may have come another one.
      if (this.next === seen) this.next = undefined;
      const id = hasEnded ? `${this.lines}-${END}` : String(this.lines);
      for (const [event, data] of changes) events.push({ event, id, data });
      this.told = seen;
    }
    this.stream.write(events);
    if (isAll && hasEnded) this.close();
  }

  /** A store that is away comes back, and with the next status the lines are read. */
  private async newLines(hasEnded: boolean): Promise<{ lines: readonly string[]; isAll: boolean }> {
    const { most } = this;
    try {
      const { lines, total } = await this.source.log(this.id, this.lines, most);
      const hasShrunk = total < this.lines;
      // It is another log: of a job with the id of one that is not kept any more, or one that was cut.
      if (hasShrunk) this.lines = 0;
      const length = lines.reduce((sum, line) => sum + line.length, 0);
      if (length > MANY_CHARACTERS) this.most = Math.max(1, Math.floor(most / 4));
      else if (lines.length === most) this.most = Math.min(MOST_LINES, most * 2);
      return { lines: hasShrunk ? [] : lines, isAll: !hasShrunk && lines.length < most };
    } catch {
      // There is no next status: the client comes again, with what it has had, and is told the rest and the end.
      if (hasEnded) this.close();
      return { lines: [], isAll: true };
    }
  }

  /** A client that reconnects, or has missed something, is told where the job stands, whatever was before. */
  private async changesTo(now: JobStatus | undefined): Promise<[event: string, data: unknown][]> {
    if (now === undefined) return [['gone', {}]];
    // Where it stands in its queue is said once: it would be another one all the time.
    if (this.told === undefined) return [['state', await this.source.placed(now).catch(() => now)]];
    const { stage, progress, ...rest } = now;
    const { stage: stageBefore, progress: progressBefore, ...restBefore } = this.told.status!;
    if (isOther(rest, restBefore)) return [['state', now]];
    return [
      ...(isOther(stage, stageBefore) ? [['stage', stage ?? null] as [string, unknown]] : []),
      ...(isOther(progress, progressBefore) ? [['progress', progress ?? null] as [string, unknown]] : []),
    ];
  }
}

function isOther(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}
