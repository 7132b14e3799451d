import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { JobStatus } from './job-status.js';
import { queueOfJobId } from './job-id.js';
import { JobReader } from './job-reader.js';
import { JobsClient } from './jobs-client.js';
import { QueueHints } from './queue-hints.js';

/** Milliseconds between two looks at a job of which nothing is heard: events may be lost. */
const FIRST_LOOK = 250;
/** With what is gathered before it, within two seconds. */
const SLOWEST_LOOK = 1_900;
/**
 * For so long (ms) jobs to be read are gathered: they share round trips, and a task may tell its progress a thousand times
 * in a second.
 */
const GATHERED = 50;
/** Jobs that are read at the same time. */
const MOST_TOGETHER = 100;

/** What was seen of a job; undefined when there is none of its id. @internal */
export interface SeenJob {
  readonly status: JobStatus | undefined;
  /** As JSON, to tell one from another. */
  readonly text: string;
  /** How many lines the job had logged about then; of one that has ended there may be some more. */
  readonly lines: number;
}

type OnSeen = (seen: SeenJob) => void;

interface Watch {
  readonly id: string;
  /** And what each was told last; null of those that are told each time. */
  readonly listeners: Map<OnSeen, string | null | undefined>;
  readonly stopHints: () => void;
  /** What was seen last, and when (ms, monotonic) more than the log was looked at. */
  seen: SeenJob | undefined;
  readAt: number;
  /** Its events are heard: between them only the log changes, of which no event tells. */
  isHeard: boolean;
  /** More than the log is to be looked at next. */
  isWhole: boolean;
  /** Milliseconds until it is read again, if nothing is heard. */
  wait: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Tells of a job whenever its status has changed, to any number of listeners at the price of one. A job is read when an
 * event says that something happened to it, and every two seconds all the same. Of its log no event tells: lines are
 * counted more often, which costs next to nothing when it is done for many jobs together.
 *
 * @internal
 */
@Injectable()
export class JobWatches implements OnModuleDestroy {
  private readonly watches = new Map<string, Watch>();
  private readonly due = new Set<Watch>();
  private flushing: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(
    private readonly client: JobsClient,
    private readonly reader: JobReader,
    private readonly hints: QueueHints,
  ) {}

  /** How many jobs are watched. */
  get size(): number {
    return this.watches.size;
  }

  /**
   * Tells what a job's status is, and then whenever it is another one, until it has ended or is not there.
   *
   * @param options - `always`: tells it whenever the job was looked at, also when it is the same.
   * @returns how to stop.
   */
  watch(id: string, onSeen: OnSeen, { always = false } = {}): () => void {
    let watch = this.watches.get(id);
    if (!watch) this.watches.set(id, (watch = this.begin(id)));
    watch.listeners.set(onSeen, always ? null : undefined);
    watch.isWhole = true;
    this.read(watch, 0);
    const own = watch;
    return () => this.leave(own, onSeen);
  }

  onModuleDestroy(): void {
    this.isClosed = true;
    clearTimeout(this.flushing);
    for (const watch of this.watches.values()) this.end(watch);
  }

  private begin(id: string): Watch {
    const queue = queueOfJobId(id);
    const watch: Watch = {
      id,
      listeners: new Map(),
      stopHints: queue === undefined ? () => {} : this.hints.listen(queue, id, () => this.hear(watch)),
      seen: undefined,
      readAt: 0,
      isHeard: false,
      isWhole: true,
      wait: FIRST_LOOK,
      timer: undefined,
    };
    return watch;
  }

  private leave(watch: Watch, onSeen: OnSeen): void {
    watch.listeners.delete(onSeen);
    if (watch.listeners.size === 0) this.end(watch);
  }

  private end(watch: Watch): void {
    clearTimeout(watch.timer);
    watch.stopHints();
    watch.listeners.clear();
    this.due.delete(watch);
    if (this.watches.get(watch.id) === watch) this.watches.delete(watch.id);
  }

  private hear(watch: Watch): void {
    watch.isHeard = true;
    watch.isWhole = true;
    this.read(watch);
  }

  private read(watch: Watch, gathered = GATHERED): void {
    if (this.isClosed) return;
    this.due.add(watch);
    this.flushing ??= setTimeout(() => void this.flush(), gathered);
  }

  /** One at a time: answers must not overtake each other, and a store that is slow is asked for more at once. */
  private async flush(): Promise<void> {
    // What becomes due meanwhile is gathered.
    for (let left = this.due.size; left > 0; left -= MOST_TOGETHER) {
      const watches = [...this.due].slice(0, Math.min(left, MOST_TOGETHER));
      for (const watch of watches) {
        this.due.delete(watch);
        clearTimeout(watch.timer);
      }
      await this.look(watches);
    }
    this.flushing = undefined;
    for (const watch of this.due) this.read(watch);
  }

  private async look(watches: readonly Watch[]): Promise<void> {
    // A store that is away comes back; health tells of it meanwhile.
    const seen = await this.client.reach(() => this.readAll(watches)).catch(() => undefined);
    for (const watch of watches) {
      const found = seen?.get(watch);
      if (found) this.tell(watch, found);
      if (watch.listeners.size > 0) this.lookAgain(watch);
    }
  }

  /** Without those that could not be read. */
  private async readAll(watches: readonly Watch[]): Promise<ReadonlyMap<Watch, SeenJob>> {
    const found = new Map<Watch, SeenJob>();
    const counting = this.reader.countLogLines(watches.map(({ id }) => id));
    const read = async (watch: Watch): Promise<void> => {
      const { id, seen, isWhole } = watch;
      if (seen && !isWhole) {
        found.set(watch, { ...seen, lines: (await counting).get(id) ?? 0 });
        return;
      }
      // Before it is read: an event that comes meanwhile tells of something else.
      watch.isWhole = false;
      watch.readAt = performance.now();
      try {
        const [status, lines] = await Promise.all([this.reader.status(id), counting]);
        found.set(watch, { status, text: JSON.stringify(status ?? null), lines: lines.get(id) ?? 0 });
      } catch {
        watch.isWhole = true;
      }
    };
    await Promise.allSettled(watches.map(read));
    return found;
  }

  private lookAgain(watch: Watch): void {
    const left = Math.max(0, watch.readAt + SLOWEST_LOOK - performance.now());
    const isLong = watch.wait >= left;
    watch.timer = setTimeout(
      () => {
        if (isLong || !watch.isHeard) watch.isWhole = true;
        this.read(watch);
      },
      isLong ? left : watch.wait,
    ).unref();
    watch.wait = Math.min(watch.wait * 2, SLOWEST_LOOK);
  }

  private tell(watch: Watch, seen: SeenJob): void {
    if (watch.seen?.text !== seen.text || watch.seen.lines !== seen.lines) watch.wait = FIRST_LOOK;
    watch.seen = seen;
    for (const [onSeen, before] of watch.listeners) {
      if (before === seen.text) continue;
      if (before !== null) watch.listeners.set(onSeen, seen.text);
      onSeen(seen);
    }
    if (seen.status === undefined || seen.status.terminal) this.end(watch);
  }
}
