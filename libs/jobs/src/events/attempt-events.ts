import { Injectable, Logger } from '@nestjs/common';
import type { JobsWorker } from '../backend/jobs-worker.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { attemptNumber, withEnvelope, type StoredJob } from '../client/envelope.js';
import { JobReader } from '../client/job-reader.js';
import { readStatus } from '../client/read-status.js';
import type { WithRetryDelay } from '../retry/decided-backoff.js';
import type { JobEvent } from './job-event.js';
import { JobEvents } from './job-events.js';
import { endEvent, factsOf, hasRun, retryingEvent, stalledEvent, startedEvent } from './told-events.js';

/** Tells the listeners of this process what the attempts of its own workers do. @internal */
@Injectable()
export class AttemptEvents {
  private readonly logger = new Logger('Jobs');
  /** Fetched jobs of which it was told that they begin. */
  private readonly begun = new WeakSet<StoredJob>();

  constructor(
    private readonly events: JobEvents,
    private readonly reader: JobReader,
  ) {}

  /** Whether any listener of this process wants to hear of what it does. */
  get areHeard(): boolean {
    return this.events.hasLocal;
  }

  /** The engine's own words come when it has stored what they say. */
  watch(worker: JobsWorker): void {
    const { events } = this;
    if (!events.hasLocal || worker.name === INTERNAL_QUEUE) return;
    const hearsStart = events.wants('local', 'started');
    if (hearsStart || events.wants('local', 'succeeded', 'skipped')) {
      worker.on('completed', (job) => this.ended(withEnvelope(job), 'completed'));
    }
    if (hearsStart || events.wants('local', 'failed', 'cancelled', 'retrying')) {
      worker.on('failed', (job, error) => {
        if (job) this.failed(withEnvelope(job), error);
      });
    }
    if (events.wants('local', 'stalled')) worker.on('stalled', (id) => void this.stalled(worker.name, id));
  }

  /** Its method is next: what stands before it has let the attempt through. */
  begins(job: StoredJob): void {
    if (!this.events.wants('local', 'started') || this.begun.has(job)) return;
    this.begun.add(job);
    this.tell(startedEvent(job, attemptNumber(job)));
  }

  says(job: StoredJob, attempt: number, said: { stage: JobEvent<'stage'>['stage'] } | { progress: unknown }): void {
    const name = 'stage' in said ? 'stage' : 'progress';
    if (!this.events.wants('local', name)) return;
    this.tell({ event: name, ...factsOf(job), attempt, at: new Date().toISOString(), ...said } as JobEvent);
  }

  snoozed(job: StoredJob, { until, delay }: { readonly until: number; readonly delay?: number }): void {
    // A part of a canvas that waits for its time has asked for nothing.
    if (!this.events.hasLocal || delay === undefined) return;
    this.begins(job);
    const times = { at: new Date(until - delay).toISOString(), until: new Date(until).toISOString() };
    this.tell({ event: 'snoozed', ...factsOf(job), attempt: attemptNumber(job), ...times });
  }

  private failed(job: StoredJob, error: Error): void {
    if (job.finishedOn !== undefined) return this.ended(job, 'failed');
    const record = readStatus(job, 'delayed').attempts.at(-1);
    if (!record?.error) return;
    this.beginsLate(job, record.attempt);
    const delay = (error as Partial<WithRetryDelay>).retryDelay ?? 0;
    this.tell(retryingEvent(job, record, Date.parse(record.endedAt!) + delay));
  }

  private ended(job: StoredJob, state: 'completed' | 'failed'): void {
    const status = readStatus(job, state);
    // What has replaced itself began in another run.
    if (hasRun(job, status) && !job.data.c?.x) this.beginsLate(job, status.attempt);
    const end = endEvent(job, status);
    if (end) this.tell(end);
  }

  /** A guard may have refused it, or its result was there already: no end comes without a beginning. */
  private beginsLate(job: StoredJob, attempt: number): void {
    if (!this.events.wants('local', 'started') || this.begun.has(job)) return;
    this.begun.add(job);
    this.tell(startedEvent(job, attempt));
  }

  private async stalled(queue: string, id: string): Promise<void> {
    try {
      const found = await this.reader.find(queue, id);
      const event = found && stalledEvent(found.job, readStatus(found.job, found.state));
      if (event) this.tell(event);
    } catch (error) {
      this.logger.debug(`No listener is told that job ${id} was left behind: ${(error as Error).message}`);
    }
  }

  private tell(event: JobEvent): void {
    this.events.tell('local', event);
  }
}
