import { Injectable, Logger } from '@nestjs/common';
import { DelayedError } from 'bullmq';
import type { JobsWorker } from '../backend/jobs-worker.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { attemptNumber, withEnvelope, type StoredJob } from '../client/envelope.js';
import { JobReader } from '../client/job-reader.js';
import { readStatus } from '../client/read-status.js';
import type { WithRetryDelay } from '../retry/decided-backoff.js';
import type { JobEvent } from './job-event.js';
import { JobEvents, type Turn } from './job-events.js';
import { endEvent, factsOf, hasRun, retryingEvent, snoozedEvent, stalledEvent, startedEvent } from './told-events.js';

/** Tells the listeners of this process what the attempts of its own workers do. @internal */
@Injectable()
export class AttemptEvents {
  private readonly logger = new Logger('Jobs');
  /** Fetched jobs of which it was told that they begin. */
  private readonly begun = new WeakSet<StoredJob>();
  /** Of fetched jobs whose end was sent to the store. */
  private readonly turns = new WeakMap<object, Turn>();

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
    if (events.wants('local', 'started', 'succeeded', 'skipped', 'failed', 'cancelled', 'retrying')) {
      // Another slot may run the job again before this one has heard that the end of its attempt is stored.
      worker.onEnding = (job, stored) => {
        const turn = events.hold(job.id!);
        this.turns.set(job, turn);
        const end = (): void => turn.end();
        stored.then(end, end);
      };
      worker.on('completed', (job) => this.ended(withEnvelope(job), 'completed'));
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
    // The task may go on with its object before listeners are called.
    const told = JSON.parse(JSON.stringify(said)) as typeof said;
    this.tell({ event: name, ...factsOf(job), attempt, at: new Date().toISOString(), ...told } as JobEvent);
  }

  /** @param reported - rejects with how BullMQ is told of it, when it is stored. */
  async snoozing(
    job: StoredJob,
    { until, delay }: { readonly until: number; readonly delay?: number },
    reported: unknown,
  ): Promise<unknown> {
    // A part of a canvas that waits for its time has asked for nothing.
    if (!this.events.hasLocal || delay === undefined) return reported;
    const turn = this.events.hold(job.id!);
    this.turns.set(job, turn);
    try {
      return await reported;
    } catch (error) {
      if (error instanceof DelayedError) {
        this.beginsLate(job, attemptNumber(job));
        this.tellEnd(job, snoozedEvent(job, attemptNumber(job), until, delay));
      }
      throw error;
    } finally {
      turn.end();
    }
  }

  private failed(job: StoredJob, error: Error): void {
    if (job.finishedOn !== undefined) return this.ended(job, 'failed');
    const record = readStatus(job, 'delayed').attempts.at(-1);
    if (!record?.error) return;
    this.beginsLate(job, record.attempt);
    const delay = (error as Partial<WithRetryDelay>).retryDelay ?? 0;
    this.tellEnd(job, retryingEvent(job, record, Date.parse(record.endedAt!) + delay));
  }

  private ended(job: StoredJob, state: 'completed' | 'failed'): void {
    const status = readStatus(job, state);
    // What has replaced itself began in another run.
    if (hasRun(job, status) && !job.data.c?.x) this.beginsLate(job, status.attempt);
    const end = endEvent(job, status);
    if (end) this.tellEnd(job, end);
  }

  /** A guard may have refused it, or its result was there already: no end comes without a beginning. */
  private beginsLate(job: StoredJob, attempt: number): void {
    if (!this.events.wants('local', 'started') || this.begun.has(job)) return;
    this.begun.add(job);
    this.tellEnd(job, startedEvent(job, attempt));
  }

  private async stalled(queue: string, id: string): Promise<void> {
    try {
      const found = await this.reader.find(queue, id);
      const left = found && readStatus(found.job, found.state).attempts.findLast(({ stalled }) => stalled === true);
      if (left) this.tell(stalledEvent(found.job, left.attempt));
    } catch (error) {
      this.logger.debug(`No listener is told that job ${id} was left behind: ${(error as Error).message}`);
    }
  }

  private tell(event: JobEvent): void {
    this.events.tell('local', event);
  }

  /** In its turn: before all that happens to the job since its end was sent to the store. */
  private tellEnd(job: StoredJob, event: JobEvent): void {
    const turn = this.turns.get(job);
    if (turn) turn.tell(event);
    else this.tell(event);
  }
}
