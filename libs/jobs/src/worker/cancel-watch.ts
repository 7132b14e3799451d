import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { ChannelSubscription } from '../backend/fleet-messages.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { promoteIfDelayed } from '../backend/promote-marked.js';
import { CANCEL_CHANNEL, isCancelMessage } from '../client/cancel-channel.js';
import { readCancelRequest } from '../client/cancel-mark.js';
import { Queues } from '../client/queues.js';
import { RunningJobs } from '../execution/running-jobs.js';

/** Asks the code of cancelled jobs to stop: soon after the fleet was told, and at the next renewal of claims at the latest. @internal */
@Injectable()
export class CancelWatch {
  private readonly logger = new Logger('Jobs');
  private subscription: ChannelSubscription | undefined;

  constructor(
    private readonly running: RunningJobs,
    private readonly queues: Queues,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  start(): void {
    this.subscription = this.backend.messages.subscribe(
      CANCEL_CHANNEL,
      (message) => {
        if (isCancelMessage(message)) this.look(message.queue, message.ids);
      },
      () => this.lookAtAll(),
    );
  }

  stop(): void {
    this.subscription?.unsubscribe();
  }

  /** Reads the marks of those of the jobs that this process runs. */
  look(queueName: string, jobIds: readonly string[]): void {
    const ids = jobIds.filter((id) => {
      const context = this.running.get(id);
      return context && context.queue === queueName && !context.cancelled;
    });
    if (ids.length === 0) return;
    this.cancelMarked(queueName, ids).catch((error: Error) => {
      // Looked at again when the claims are renewed next.
      this.logger.debug(`Could not look whether jobs are cancelled: ${error.message}`);
    });
  }

  /**
   * Ends a job that waits for another run although it was asked to stop: its attempt was over before it heard of that.
   * Nothing else would, for as long as it waits.
   */
  lookAtDelayed(queueName: string, jobId: string): void {
    this.promoteMarked(queueName, jobId).catch((error: Error) => {
      this.logger.debug(`Could not look whether job ${jobId} is cancelled: ${error.message}`);
    });
  }

  private async promoteMarked(queueName: string, jobId: string): Promise<void> {
    const queue = this.queues.get(queueName);
    const [mark] = await this.backend.deferredFailures(queue, [jobId]);
    if (readCancelRequest(mark)) await promoteIfDelayed(queue, jobId);
  }

  private lookAtAll(): void {
    const contexts = this.running.all();
    for (const queue of new Set(contexts.map((context) => context.queue))) {
      this.look(
        queue,
        contexts.map(({ id }) => id),
      );
    }
  }

  private async cancelMarked(queueName: string, ids: readonly string[]): Promise<void> {
    const contexts = ids.map((id) => this.running.get(id));
    const marks = await this.backend.deferredFailures(this.queues.get(queueName), ids);
    for (const [n, mark] of marks.entries()) {
      const request = readCancelRequest(mark);
      if (request) contexts[n]?.cancel(request.reason);
    }
  }
}
