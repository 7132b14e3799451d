import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { ChannelSubscription } from '../backend/fleet-messages.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { promoteIfDelayed } from '../backend/promote-marked.js';
import { CANCEL_CHANNEL, isCancelMessage } from '../client/cancel-channel.js';
import { readCancelRequest } from '../client/cancel-mark.js';
import { Queues } from '../client/queues.js';
import { RunningJobs } from '../execution/running-jobs.js';

/** How long (ms) jobs that were delayed wait for others to be looked at together: one read each is dear for many retries. */
const LOOK_TOGETHER_WITHIN = 250;
/** Ids in one read. */
const LOOK_AT_ONCE = 500;

/** Asks the code of cancelled jobs to stop: soon after the fleet was told, and at the next renewal of claims at the latest. @internal */
@Injectable()
export class CancelWatch {
  private readonly logger = new Logger('Jobs');
  private subscription: ChannelSubscription | undefined;
  /** By queue: the ids that {@link CancelWatch.lookAtDelayed} was told of. */
  private readonly delayed = new Map<string, Set<string>>();
  private timer: NodeJS.Timeout | undefined;

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

  /** Resolves when the jobs that were just delayed were looked at, or could not be. */
  async stop(): Promise<void> {
    this.subscription?.unsubscribe();
    await this.lookAtAllDelayed();
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
   *
   * @param delay - how long (ms) it waits. One that is due sooner than it could be looked at needs no look.
   */
  lookAtDelayed(queueName: string, jobId: string, delay: number): void {
    if (delay < LOOK_TOGETHER_WITHIN) return;
    let ids = this.delayed.get(queueName);
    if (!ids) this.delayed.set(queueName, (ids = new Set()));
    ids.add(jobId);
    this.timer ??= setTimeout(() => void this.lookAtAllDelayed(), LOOK_TOGETHER_WITHIN).unref();
  }

  private async lookAtAllDelayed(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const all = [...this.delayed];
    this.delayed.clear();
    await Promise.all(
      all.map(async ([queueName, delayed]) => {
        // One that runs here again is looked at with the other running ones.
        const ids = [...delayed].filter((id) => !this.running.get(id));
        try {
          for (let n = 0; n < ids.length; n += LOOK_AT_ONCE) {
            await this.promoteMarked(queueName, ids.slice(n, n + LOOK_AT_ONCE));
          }
        } catch (error) {
          this.logger.debug(`Could not look whether delayed jobs are cancelled: ${(error as Error).message}`);
        }
      }),
    );
  }

  private async promoteMarked(queueName: string, ids: readonly string[]): Promise<void> {
    const queue = this.queues.get(queueName);
    const marks = await this.backend.deferredFailures(queue, ids);
    const cancelled = ids.filter((_, n) => readCancelRequest(marks[n]));
    await Promise.all(cancelled.map((id) => promoteIfDelayed(queue, id)));
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
