import { Injectable, Logger } from '@nestjs/common';
import { DelayedError } from 'bullmq';
import type { JobsWorker } from '../backend/jobs-worker.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { attemptNumber, hasBegun, withEnvelope, type StoredJob } from '../client/envelope.js';
import { JobReader } from '../client/job-reader.js';
import { readStatus } from '../client/read-status.js';
import { unpackResult } from '../client/stored-result.js';
import type { ParkedAttempt } from '../execution/attempt-outcome.js';
import type { WithRetryDelay } from '../retry/decided-backoff.js';
import type { JobEvent } from './job-event.js';
import { JobEvents, type Turn } from './job-events.js';
import { observeEnd } from './observed-end.js';
import { endEvent, factsOf, hasRun, retryingEvent, snoozedEvent, stalledEvent, startedEvent } from './told-events.js';

/** On a fetched job of which it was told that it begins. A set of jobs would cost more than all else here. */
const BEGUN = Symbol('begun');
type FetchedJob = StoredJob & { [BEGUN]?: true };

/** Tells the listeners of this process what the attempts of its own workers do. @internal */
@Injectable()
export class AttemptEvents {
  private readonly logger = new Logger('Jobs');
  /** Of fetched jobs whose end was sent to the store. */
  private readonly turns = new WeakMap<object, Turn>();
  /** Fetched jobs that were fetched before, but have never begun. */
  private readonly unbegun = new WeakSet<StoredJob>();

  constructor(
    private readonly events: JobEvents,
    private readonly reader: JobReader,
  ) {}

  /** Whether anybody of this process wants to hear of what it does. */
  get areHeard(): boolean {
    return this.events.hasLocal || this.events.observer !== undefined;
  }

  /** The engine's own words come when it has stored what they say. */
  watch(worker: JobsWorker): void {
    const { events } = this;
    if (!this.areHeard || worker.name === INTERNAL_QUEUE) return;
    const isObserved = events.observer !== undefined;
    const isTold = events.wants('local', 'started', 'succeeded', 'skipped', 'failed', 'cancelled', 'retrying');
    if (isTold) {
      // Another slot may run the job again before this one has heard that the end of its attempt is stored.
      worker.onEnding = (job, stored) => {
        const turn = events.hold(job.id!);
        this.turns.set(job, turn);
        const end = (): void => turn.end();
        stored.then(end, end);
      };
    }
    if (isTold || isObserved) {
      worker.on('completed', (job) => this.ended(withEnvelope(job), 'completed'));
      worker.on('failed', (job, error) => {
        if (job) this.failed(withEnvelope(job), error);
      });
    }
    if (isObserved) worker.on('active', (job) => this.fetched(withEnvelope(job)));
    if (isObserved || events.wants('local', 'stalled')) {
      worker.on('stalled', (id) => void this.stalled(worker.name, id));
    }
  }

  /** Its method is next: what stands before it has let the attempt through. */
  begins(job: FetchedJob): void {
    if (!this.isFirst(job)) return;
    if (this.events.wants('local', 'started')) this.tell(startedEvent(job, attemptNumber(job)));
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
    if (!this.areHeard || delay === undefined) return reported;
    const turn = this.events.hasLocal ? this.events.hold(job.id!) : undefined;
    if (turn) this.turns.set(job, turn);
    try {
      return await reported;
    } catch (error) {
      if (error instanceof DelayedError) {
        this.beginsLate(job, attemptNumber(job));
        this.events.observer?.snoozed(job);
        this.tellEnd(job, snoozedEvent(job, attemptNumber(job), until, delay));
      }
      throw error;
    } finally {
      turn?.end();
    }
  }

  /** @param reported - as in {@link AttemptEvents.snoozing}. */
  async parking(job: StoredJob, { waits }: ParkedAttempt, reported: unknown): Promise<unknown> {
    const { observer } = this.events;
    if (!observer || waits.for !== 'limit') return reported;
    try {
      return await reported;
    } catch (error) {
      if (error instanceof DelayedError) observer.limited(job);
      throw error;
    }
  }

  /** Before it is looked at: what it has said of itself is written anew then. */
  private fetched(job: StoredJob): void {
    if (job.attemptsStarted > 1 && !hasBegun(job)) this.unbegun.add(job);
  }

  private failed(job: StoredJob, error: Error): void {
    if (job.finishedOn !== undefined) return this.ended(job, 'failed');
    const record = readStatus(job, 'delayed').attempts.at(-1);
    if (!record?.error) return;
    this.beginsLate(job, record.attempt);
    const delay = (error as Partial<WithRetryDelay>).retryDelay ?? 0;
    const event = retryingEvent(job, record, Date.parse(record.endedAt!) + delay);
    this.events.observer?.retrying(job, event.duration);
    this.tellEnd(job, event);
  }

  private ended(job: StoredJob, state: 'completed' | 'failed'): void {
    const { observer, hasLocal } = this.events;
    if (observer && !hasLocal && state === 'completed' && isPlain(job)) {
      this.beginsLate(job, 1);
      const { reason } = unpackResult(job.returnvalue);
      return observer.ended(job, reason === undefined ? 'succeeded' : 'skipped', job.finishedOn! - job.processedOn!);
    }
    const status = readStatus(job, state);
    // What has replaced itself began in another run.
    if (hasRun(job, status) && !job.data.c?.x) this.beginsLate(job, status.attempt);
    const end = endEvent(job, status);
    if (!end) return;
    if (observer) observeEnd(observer, job, end);
    this.tellEnd(job, end);
  }

  /** A guard may have refused it, or its result was there already: no end comes without a beginning. */
  private beginsLate(job: FetchedJob, attempt: number): void {
    if (!this.isFirst(job)) return;
    if (this.events.wants('local', 'started')) this.tellEnd(job, startedEvent(job, attempt));
  }

  /** False when it was told before that this run of the job begins. */
  private isFirst(job: FetchedJob): boolean {
    if (job[BEGUN]) return false;
    job[BEGUN] = true;
    this.events.observer?.began(job, this.waitOf(job));
    return true;
  }

  private waitOf(job: StoredJob): number | undefined {
    const { attemptsStarted, processedOn, timestamp, opts, data } = job;
    if (processedOn === undefined || data.c !== undefined || attemptNumber(job) > 1) return undefined;
    if (attemptsStarted > 1 && !this.unbegun.has(job)) return undefined;
    // The clocks of two processes differ.
    return Math.max(0, processedOn - timestamp - (opts.delay ?? 0));
  }

  private async stalled(queue: string, id: string): Promise<void> {
    try {
      const found = await this.reader.find(queue, id);
      const left = found && readStatus(found.job, found.state).attempts.findLast(({ stalled }) => stalled === true);
      if (!left) return;
      this.events.observer?.stalled(found.job);
      this.tell(stalledEvent(found.job, left.attempt));
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

/** Of one that was run once and ended well: its status would say nothing that does not stand in it. */
function isPlain({ stalledCounter, stacktrace, data, processedOn }: StoredJob): boolean {
  return stalledCounter === 0 && !stacktrace?.length && data.c === undefined && processedOn !== undefined;
}
