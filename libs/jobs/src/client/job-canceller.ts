import type { CancelMark, QueueBackend } from '../backend/queue-backend.js';
import { CANCEL_CHANNEL, type CancelMessage } from './cancel-channel.js';
import { CANCEL_MARK, cancelMark, cancelRequestMark } from './cancel-mark.js';
import { JobNotFoundError } from './client.errors.js';
import type { JobEnvelope } from './envelope.js';
import { openChildren, type FlowMember } from './flow-members.js';
import { queueOfJobId } from './job-id.js';
import type { JobReader } from './job-reader.js';
import type { JobSender } from './job-sender.js';
import type { Queues } from './queues.js';

/** Jobs that are looked at and marked together. */
const BATCH = 250;
/** Ids that fit into one message to the fleet, also the longest. */
const IN_A_MESSAGE = 40;

/** Of {@link JobEnvelope}. */
const TAGS = 't' satisfies keyof JobEnvelope;
const CANVAS = 'c' satisfies keyof JobEnvelope;

/** What became of jobs that were cancelled together. @publicApi */
export interface CancelReport {
  /** They will not run any more. */
  readonly cancelled: number;
  /** They ran, and have been asked to stop: most of them will end `cancelled`, some well. */
  readonly asked: number;
}

/** Marks jobs as cancelled, and tells the workers of those that run. @internal */
export class JobCanceller {
  constructor(
    private readonly queues: Queues,
    private readonly backend: QueueBackend,
    private readonly reader: JobReader,
    private readonly sender: JobSender,
  ) {}

  /** Whether it is cancelled, or has been asked to stop. */
  async cancel(queueName: string, id: string, reason: string | undefined): Promise<boolean> {
    const [found] = await this.mark(queueName, [id], reason);
    if (found === 'missing') throw new JobNotFoundError(id);
    if (found === 'marked') await this.cancelReplacement({ queue: queueName, id }, reason);
    if (found !== 'finished') return true;
    const status = await this.sender.reach(() => this.reader.status(id));
    if (!status) throw new JobNotFoundError(id);
    return status.state === 'cancelled';
  }

  /** What a job has replaced itself with is its work, as its method was. */
  private async cancelReplacement(job: FlowMember, reason: string | undefined): Promise<void> {
    const queue = this.queues.get(job.queue);
    const [part] = await this.sender.reach(() => this.backend.readUnfinished(queue, [job.id], CANVAS));
    if (isReplaced(part)) await this.cancelChildren(job, reason);
  }

  /** The job, and whatever it waits for, at any depth. */
  async cancelFlow(queueName: string, id: string, reason: string | undefined): Promise<boolean> {
    const isCancelled = await this.cancel(queueName, id, reason);
    await this.cancelChildren({ queue: queueName, id }, reason);
    return isCancelled;
  }

  /** Whatever a job waits for, and not the job itself. */
  async cancelChildren(parent: FlowMember, reason: string | undefined): Promise<void> {
    const pages = openChildren(parent, this.queues, this.backend);
    for (;;) {
      const { done, value: children } = await this.sender.reach(() => pages.next());
      if (done) return;
      for (const queue of new Set(children.map((child) => child.queue))) {
        const ids = children.filter((child) => child.queue === queue).map((child) => child.id);
        for (let n = 0; n < ids.length; n += BATCH) await this.mark(queue, ids.slice(n, n + BATCH), reason);
      }
      for (let n = 0; n < children.length; n += BATCH) {
        await Promise.all(children.slice(n, n + BATCH).map((child) => this.cancelChildren(child, reason)));
      }
    }
  }

  /** Jobs of other queues than declared ones are left alone. */
  async cancelByTag(
    tag: string,
    isDeclared: (queue: string) => boolean,
    reason: string | undefined,
  ): Promise<CancelReport> {
    const ids = await this.sender.reach(() => this.backend.tags.jobsWith(tag));
    const byQueue = new Map<string, string[]>();
    for (const id of ids) {
      const queue = queueOfJobId(id);
      if (queue === undefined || !isDeclared(queue)) continue;
      const together = byQueue.get(queue);
      if (together) together.push(id);
      else byQueue.set(queue, [id]);
    }
    let [cancelled, asked] = [0, 0];
    for (const [queue, all] of byQueue) {
      for (let n = 0; n < all.length; n += BATCH) {
        const found = await this.mark(queue, await this.withTag(queue, all.slice(n, n + BATCH), tag), reason);
        cancelled += found.filter((mark) => mark === 'marked').length;
        asked += found.filter((mark) => mark === 'active').length;
      }
    }
    return { cancelled, asked };
  }

  /** The index may name jobs that are gone, and ids that other jobs have by now. */
  private async withTag(queueName: string, ids: readonly string[], tag: string): Promise<string[]> {
    const queue = this.queues.get(queueName);
    const tags = await this.sender.reach(() => this.backend.readUnfinished(queue, ids, TAGS));
    return ids.filter((_id, n) => isAmong(tag, tags[n]));
  }

  private async mark(queueName: string, ids: readonly string[], reason: string | undefined): Promise<CancelMark[]> {
    if (ids.length === 0) return [];
    const marks = { waiting: cancelMark(reason), active: cancelRequestMark(reason), beginning: CANCEL_MARK };
    const queue = this.queues.get(queueName);
    const found = await this.sender.reach(() => this.backend.markCancelled(queue, ids, marks));
    const running = ids.filter((_id, n) => found[n] === 'active');
    const messages = Array.from({ length: Math.ceil(running.length / IN_A_MESSAGE) }, (_, n) => {
      return { queue: queueName, ids: running.slice(n * IN_A_MESSAGE, (n + 1) * IN_A_MESSAGE) };
    });
    await Promise.all(messages.map((message) => this.tellWorkers(message)));
    return found;
  }

  /** A hint: a worker that does not get it finds the mark when it renews its claims. */
  private async tellWorkers(message: CancelMessage): Promise<void> {
    await this.backend.messages.publish(CANCEL_CHANNEL, message).catch(() => {});
  }
}

/** What was added past this library may have anything in the place of its tags. */
function isAmong(tag: string, tags: unknown): boolean {
  return Array.isArray(tags) && tags.includes(tag);
}

function isReplaced(part: unknown): boolean {
  return ((part ?? {}) as NonNullable<JobEnvelope['c']>).x !== undefined;
}
