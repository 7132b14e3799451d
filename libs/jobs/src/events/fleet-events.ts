import { Inject, Injectable, Logger } from '@nestjs/common';
import type { QueueEvents } from 'bullmq';
import { settlesWithin } from '../backend/with-timeout.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import type { ProgressRecord } from '../client/envelope.js';
import { JobReader } from '../client/job-reader.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import { readStatus } from '../client/read-status.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { eventsOf, toldBefore, type EngineEvent, type ToldOfJob } from './fleet-history.js';
import type { JobEvent, JobEventName } from './job-event.js';
import { JobEvents } from './job-events.js';

/** For so long (ms) what is heard is gathered: a short job is read once for all that happens to it. */
const GATHERED = 50;
/** Jobs that are read at the same time. */
const MOST_TOGETHER = 100;
/** Jobs of which something was heard that was not looked into yet. */
const MOST_HEARD = 10_000;
/** Jobs of which it is remembered what was told, those that were heard of last. */
const MOST_REMEMBERED = 10_000;

/** From which of the engine's events it is made what listeners want. */
const SOURCES: Readonly<Record<JobEventName, readonly EngineEvent['name'][]>> = {
  enqueued: ['added'],
  started: ['active'],
  progress: ['progress'],
  stage: ['progress'],
  succeeded: ['completed'],
  skipped: ['completed'],
  retrying: ['delayed', 'waiting'],
  failed: ['failed'],
  cancelled: ['failed'],
  snoozed: ['delayed'],
  stalled: ['stalled'],
};

/** As BullMQ tells it, without what is not asked for. */
interface Heard {
  readonly jobId: string;
  readonly name?: string;
  readonly prev?: string;
  readonly delay?: number;
  readonly data?: unknown;
}

/** Tells the listeners of this process what happens to the jobs of the whole fleet. @internal */
@Injectable()
export class FleetEvents {
  private readonly logger = new Logger('Jobs');
  /** By queue and by job. */
  private readonly heard = new Map<string, Map<string, EngineEvent[]>>();
  /** By job. */
  private readonly told = new Map<string, ToldOfJob>();
  private readonly stops: (() => void)[] = [];
  private listensSince = 0;
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();
  private isOverrun = false;

  constructor(
    private readonly events: JobEvents,
    private readonly queues: Queues,
    private readonly reader: JobReader,
    private readonly client: JobsClient,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** Without listeners no stream of events is opened. */
  start(): void {
    const wanted = Object.entries(SOURCES).filter(([name]) => this.events.wants('fleet', name as JobEventName));
    if (wanted.length === 0) return;
    this.listensSince = Date.now();
    const sources = new Set(wanted.flatMap(([, names]) => names));
    // Which attempt it is that a worker takes tell the ends of those before.
    if (sources.has('active')) sources.add('delayed').add('waiting').add('stalled');
    for (const queue of this.options.queues.keys()) {
      if (queue !== INTERNAL_QUEUE) this.listen(queue, this.queues.eventsOf(queue), sources);
    }
  }

  /** What was heard is told; after that nothing more, neither of the fleet nor of this process. */
  async stop(): Promise<void> {
    const { connectTimeout } = this.options;
    for (const stop of this.stops.splice(0)) stop();
    clearTimeout(this.timer);
    this.flush();
    await settlesWithin(connectTimeout, this.flushing);
    await this.events.close(connectTimeout);
  }

  private listen(queue: string, events: QueueEvents, sources: ReadonlySet<EngineEvent['name']>): void {
    for (const source of sources) {
      const onEvent = (heard: Heard): void => this.hear(queue, source, heard);
      events.on(source, onEvent);
      this.stops.push(() => events.off(source, onEvent));
    }
  }

  private hear(queue: string, source: EngineEvent['name'], heard: Heard): void {
    const event = this.read(source, heard);
    if (!event) return;
    let jobs = this.heard.get(queue);
    if (!jobs) this.heard.set(queue, (jobs = new Map()));
    const known = jobs.get(heard.jobId);
    if (known) known.push(event);
    else if (jobs.size < MOST_HEARD) jobs.set(heard.jobId, [event]);
    else this.warnOfOverrun(queue);
    this.timer ??= setTimeout(() => this.flush(), GATHERED).unref();
  }

  /** Undefined for what nobody wants to hear, where that can be seen without the job. */
  private read(source: EngineEvent['name'], { name, prev, delay, data }: Heard): EngineEvent | undefined {
    switch (source) {
      case 'added':
        return name === undefined || this.events.wantsOf(name, 'fleet', 'enqueued') ? { name: source } : undefined;
      case 'waiting':
        return prev === 'active' ? { name: source } : undefined;
      case 'delayed':
        return { name: source, due: Number(delay) };
      case 'progress':
        return isRecord(data) ? { name: source, said: data } : undefined;
      default:
        return { name: source };
    }
  }

  private flush(): void {
    this.timer = undefined;
    this.flushing = this.flushing.then(() => this.lookAtAll());
  }

  private async lookAtAll(): Promise<void> {
    const all = [...this.heard].flatMap(([queue, jobs]) => [...jobs].map(([id, events]) => ({ queue, id, events })));
    this.heard.clear();
    for (let n = 0; n < all.length; n += MOST_TOGETHER) {
      const together = all.slice(n, n + MOST_TOGETHER);
      const told = await Promise.all(together.map(({ queue, id, events }) => this.lookAt(queue, id, events)));
      for (const event of told.flat()) this.events.tell('fleet', event);
    }
    this.isOverrun = false;
  }

  private async lookAt(queue: string, id: string, events: readonly EngineEvent[]): Promise<JobEvent[]> {
    if (!events.some((event) => this.needsLook(event))) return [];
    try {
      // One that is not answered would hold up all that is heard after it.
      const found = await this.client.reach(() => this.reader.find(queue, id));
      if (!found) return [];
      const status = readStatus(found.job, found.state);
      const known = this.told.get(id);
      const told = known?.madeAt === found.job.timestamp ? known : toldBefore(found.job, status, this.listensSince);
      this.remember(id, told);
      return eventsOf(events, found.job, status, told);
    } catch (error) {
      this.logger.debug(`No listener is told what happened to job ${id}: ${(error as Error).message}`);
      return [];
    }
  }

  /** A job that is put off is read for those only who want to hear of that. */
  private needsLook({ name }: EngineEvent): boolean {
    if (name !== 'delayed' && name !== 'waiting') return true;
    return this.events.wants('fleet', 'retrying', 'snoozed', 'started');
  }

  private remember(id: string, told: ToldOfJob): void {
    this.told.delete(id);
    this.told.set(id, told);
    if (this.told.size > MOST_REMEMBERED) this.told.delete(this.told.keys().next().value!);
  }

  private warnOfOverrun(queue: string): void {
    if (this.isOverrun) return;
    this.isOverrun = true;
    this.logger.warn(
      `More happens in queue "${queue}" than this process can read: listeners with scope 'fleet' miss some of it.`,
    );
  }
}

function isRecord(data: unknown): data is ProgressRecord {
  return typeof (data as Partial<ProgressRecord> | null)?.attempt === 'number';
}
