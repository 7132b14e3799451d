import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { JobStatus } from './job-status.js';
import { queueOfJobId } from './job-id.js';
import { JobsClient } from './jobs-client.js';
import { QueueHints } from './queue-hints.js';

/** Milliseconds between two looks at a job of which nothing is heard: events may be lost. */
const FIRST_LOOK = 250;
const SLOWEST_LOOK = 2_000;
/** For so long (ms) what is heard is gathered: a task may tell its progress a thousand times in a second. */
const GATHERED = 50;
/** Jobs that are read at the same time. */
const MOST_TOGETHER = 100;

/** What was seen of a job; undefined when there is none of its id. @internal */
export interface SeenJob {
  readonly status: JobStatus | undefined;
  /** As JSON, to tell one from another. */
  readonly text: string;
}

type OnSeen = (seen: SeenJob) => void;

interface Watch {
  readonly id: string;
  /** And what each was told last; null of those that are told each time. */
  readonly listeners: Map<OnSeen, string | null | undefined>;
  readonly stopHints: () => void;
  /** What was seen last. */
  text: string | undefined;
  /** Milliseconds until it is read again, if nothing is heard. */
  wait: number;
  timer: NodeJS.Timeout | undefined;
  /** Answers must not overtake each other. */
  reading: 'no' | 'yes' | 'and again';
}

/**
 * Tells of a job whenever its status has changed, to any number of listeners at the price of one. A job is read when an
 * event says that something happened to it, and every two seconds all the same.
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
      stopHints: queue === undefined ? () => {} : this.hints.listen(queue, id, () => this.read(watch, GATHERED)),
      text: undefined,
      wait: FIRST_LOOK,
      timer: undefined,
      reading: 'no',
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

  private read(watch: Watch, gathered: number): void {
    if (this.isClosed) return;
    this.due.add(watch);
    this.flushing ??= setTimeout(() => {
      this.flushing = undefined;
      void this.flush();
    }, gathered);
  }

  private async flush(): Promise<void> {
    const all = [...this.due];
    this.due.clear();
    for (let n = 0; n < all.length; n += MOST_TOGETHER) {
      await Promise.all(all.slice(n, n + MOST_TOGETHER).map((watch) => this.look(watch)));
    }
  }

  private async look(watch: Watch): Promise<void> {
    if (watch.reading !== 'no') {
      watch.reading = 'and again';
      return;
    }
    watch.reading = 'yes';
    clearTimeout(watch.timer);
    let seen: SeenJob | undefined;
    try {
      const status = await this.client.status(watch.id);
      seen = { status, text: JSON.stringify(status ?? null) };
    } catch {
      // A store that is away comes back; health tells of it meanwhile.
    }
    const isAskedAgain = (watch.reading as Watch['reading']) === 'and again';
    watch.reading = 'no';
    if (seen) this.tell(watch, seen);
    if (watch.listeners.size === 0) return;
    if (isAskedAgain) return this.read(watch, 0);
    watch.timer = setTimeout(() => this.read(watch, 0), watch.wait).unref();
    watch.wait = Math.min(watch.wait * 2, SLOWEST_LOOK);
  }

  private tell(watch: Watch, seen: SeenJob): void {
    if (watch.text !== seen.text) watch.wait = FIRST_LOOK;
    watch.text = seen.text;
    for (const [onSeen, before] of watch.listeners) {
      if (before === seen.text) continue;
      if (before !== null) watch.listeners.set(onSeen, seen.text);
      onSeen(seen);
    }
    if (seen.status === undefined || seen.status.terminal) this.end(watch);
  }
}
