import { inspect } from 'node:util';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { FlowProducer, Queue, QueueEvents } from 'bullmq';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { JobsClosedError } from './client.errors.js';

/** The process's BullMQ queues and their event streams: one each, made when first needed. @internal */
@Injectable()
export class Queues {
  private readonly logger = new Logger('Jobs');
  private readonly queues = new Map<string, Queue>();
  private readonly events = new Map<string, QueueEvents>();
  private flowProducer: FlowProducer | undefined;
  private isClosed = false;

  constructor(
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: Pick<ResolvedJobsOptions, 'queues'>,
  ) {}

  /** BullMQ's objects hold connections, and these hold passwords. */
  [inspect.custom](): string {
    return `Queues(${[...this.queues.keys()].join(', ')})`;
  }

  get(name: string): Queue {
    let queue = this.queues.get(name);
    if (!queue) {
      const isKnown = name === INTERNAL_QUEUE || this.options.queues.has(name);
      queue = this.backend.createQueue(name, isKnown).on('error', this.reportErrorOf(name));
      this.queues.set(name, queue);
    }
    return queue;
  }

  /** Adds jobs of several queues in one step. */
  flows(): FlowProducer {
    this.flowProducer ??= this.backend.createFlowProducer().on('error', this.reportErrorOf('(flows)'));
    return this.flowProducer;
  }

  /** Hints that something happened; an event may be lost, so whoever needs to know re-reads. */
  eventsOf(name: string): QueueEvents {
    let events = this.events.get(name);
    if (!events) {
      events = this.backend.createQueueEvents(name).setMaxListeners(0).on('error', this.reportErrorOf(name));
      this.events.set(name, events);
    }
    return events;
  }

  /** @throws {@link JobsClosedError}; the backend's own errors would say that it is away. */
  assertOpen(): void {
    if (this.isClosed) throw new JobsClosedError();
  }

  /** Waits at most `timeout` ms: without its connection a BullMQ object may never close. */
  async close(timeout: number): Promise<void> {
    this.isClosed = true;
    const flows = this.flowProducer ? [this.flowProducer] : [];
    const closing = [...this.events.values(), ...this.queues.values(), ...flows].map((each) => each.close());
    this.events.clear();
    this.queues.clear();
    this.flowProducer = undefined;
    await settlesWithin(timeout, Promise.allSettled(closing));
  }

  /** Without a listener an error event would end the process. Lost connections are reported by the backend itself. */
  private reportErrorOf(name: string): (error: Error) => void {
    return (error) => {
      if (!this.backend.isConnectionError(error)) this.logger.error(`Queue ${name}: ${error.message}`);
    };
  }
}
