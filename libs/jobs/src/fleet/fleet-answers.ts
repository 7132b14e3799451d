import { hostname } from 'node:os';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { ChannelSubscription } from '../backend/fleet-messages.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { WorkerControl } from '../worker/worker-control.js';
import { WorkerPresence } from '../worker/worker-presence.js';
import { answersTo, QUESTIONS, readQuestion, type FleetAnswer, type FleetOrder } from './fleet-channel.js';

/** Does what this process is asked for by others of the fleet, and answers when it is done. @internal */
@Injectable()
export class FleetAnswers {
  private readonly logger = new Logger('Jobs');
  private subscription: ChannelSubscription | undefined;
  private drain: () => Promise<void> = () => Promise.resolve();

  constructor(
    private readonly control: WorkerControl,
    private readonly presence: WorkerPresence,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  start(drain: () => Promise<void>): void {
    this.drain = drain;
    this.subscription = this.backend.messages.subscribe(QUESTIONS, async (message) => {
      const question = readQuestion(message);
      if (!question || (question.to && !question.to.includes(this.presence.id))) return;
      const { id, asker, order } = question;
      const refusal = this.refusalOf(order) ?? (await this.obey(order));
      await this.answer(asker, id, refusal);
      if (order.what === 'shut-down' && refusal === undefined) await this.end();
    });
  }

  stop(): void {
    this.subscription?.unsubscribe();
  }

  private refusalOf(order: FleetOrder): string | undefined {
    if (order.what !== 'pause' && order.what !== 'resume' && order.what !== 'concurrency') return undefined;
    if (this.presence.isDraining) return 'it drains, and will begin nothing';
    const { queue } = order;
    return queue === undefined || this.control.works(queue) ? undefined : `it does not work queue "${queue}"`;
  }

  /** Why it could not be done, if it could not. */
  private async obey(order: FleetOrder): Promise<string | undefined> {
    if (order.what === 'ping') return undefined;
    this.logger.log(`The fleet asks this process: ${describe(order)}.`);
    try {
      await this.carryOut(order);
    } catch (error) {
      return (error as Error).message;
    }
    // Who asked reads what has become of it.
    await this.presence.tell();
    return undefined;
  }

  private async carryOut(order: FleetOrder): Promise<void> {
    switch (order.what) {
      case 'pause':
        return this.control.pause(order.queue);
      case 'resume':
        return this.control.resume(order.queue);
      case 'concurrency':
        return this.control.setConcurrency(order.queue, order.concurrency);
      case 'drain':
        void this.drain();
        return this.control.endsFetching();
    }
  }

  private async answer(asker: string, id: string, refusal: string | undefined): Promise<void> {
    const answer: FleetAnswer = {
      id,
      process: this.presence.id,
      host: hostname(),
      pid: process.pid,
      ...(refusal !== undefined && { refusal }),
    };
    try {
      await this.backend.messages.publish(answersTo(asker), answer);
    } catch (error) {
      this.logger.debug(`Could not answer the fleet: ${(error as Error).message}`);
    }
  }

  private async end(): Promise<void> {
    // Node would end the process at once, in the middle of its jobs.
    if (process.listenerCount('SIGTERM') === 0) await this.drain();
    process.kill(process.pid, 'SIGTERM');
  }
}

function describe(order: FleetOrder): string {
  switch (order.what) {
    case 'concurrency':
      return `concurrency ${order.concurrency} for queue "${order.queue}"`;
    case 'pause':
    case 'resume':
      return order.queue === undefined ? order.what : `${order.what} queue "${order.queue}"`;
    case 'shut-down':
      return 'shut down';
    default:
      return order.what;
  }
}
