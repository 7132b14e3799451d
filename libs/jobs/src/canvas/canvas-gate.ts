import { Inject, Injectable, Logger } from '@nestjs/common';
import { withEnvelope, type StoredJob } from '../client/envelope.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { CanvasFlows } from './canvas-flows.js';
import { idAt, memberPath, pathOf, spawnerPath } from './canvas-ids.js';
import { INTERNAL_QUEUE, type CanvasNodeWork, type JobPlace } from './canvas-part.js';
import { AbandonedCanvasError } from './canvas.errors.js';
import { compileCanvas } from './compile-canvas.js';
import { jobsOf, nodeJob, type FlowJob, type Frame, type WhenFailed } from './flow-job.js';
import type { PlacedCanvas } from './placed-canvas.js';

/** Signs of life that a process gives that adds members, in the time after which it is taken for dead. */
const SIGNS_PER_LEASE = 3;
const ABANDONED = 'the process that added the members of the group was taken for dead';
/** Members, between two looks at whether the group is cancelled. */
const LOOK_EACH = 500;
/** How long (ms) a gate that is being looked at may take. */
const LOOK = 10_000;

/**
 * Adds the members of a group while they are read. What waits for the group waits for a gate too, a job that a process
 * which does not say that it lives lets run: then the canvas fails.
 *
 * @internal
 */
@Injectable()
export class CanvasGate {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly flows: CanvasFlows,
    private readonly client: JobsClient,
    private readonly queues: Queues,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /**
   * @param flow - of the canvas, with an empty group.
   * @param owner - the job in it that waits for the group.
   */
  async addAll(
    flow: FlowJob,
    owner: JobPlace,
    members: AsyncIterable<PlacedCanvas>,
    whenFailed: WhenFailed,
    frame: Frame,
  ): Promise<void> {
    const path = pathOf(owner.id);
    const waiting = [...jobsOf([flow])].find(({ opts }) => opts.jobId === owner.id)!;
    const gate = nodeJob(spawnerPath(path), { n: { k: 'gate' } }, [], { ...frame, stamps: waiting.data.t }, 'fail');
    gate.opts.delay = this.options.lease;
    const { t: _unknown, ...part } = waiting.data.c!;
    waiting.data = { ...waiting.data, c: { ...part, s: 1 } };
    waiting.children = [gate];
    await this.flows.add(flow);
    const gateId = gate.opts.jobId;
    let isOpen = false;
    const timer = setInterval(() => void this.sayAlive(gateId), this.options.lease / SIGNS_PER_LEASE);
    let count = 0;
    const isCancelled = (): Promise<boolean> => this.isCancelled(owner, gateId);
    const compiled = async function* (): AsyncGenerator<FlowJob> {
      for await (const member of members) {
        if (count > 0 && count % LOOK_EACH === 0 && (await isCancelled())) return;
        yield compileCanvas(member, { path: memberPath(path, count++), whenFailed }, frame);
      }
    };
    try {
      await this.flows.addBelow(owner, compiled());
      await this.cancelRest(owner, gateId);
      await this.client.reach(() => this.tellCount(owner, count));
      isOpen = await this.client.reach(() => this.settle(gateId, { k: 'gate', done: 1 }));
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      // What cannot be told shows when the gate is not opened in time.
      await this.client.reach(() => this.settle(gateId, { k: 'gate', error: problem })).catch(() => undefined);
      throw error;
    } finally {
      clearInterval(timer);
    }
    if (!isOpen && (await this.wasShut(gateId))) throw new AbandonedCanvasError();
  }

  private async isCancelled(owner: JobPlace, gateId: string): Promise<boolean> {
    return (await this.cancellation(owner, gateId)) !== undefined;
  }

  /** What was cancelled while its members were added did not have them all yet. */
  private async cancelRest(owner: JobPlace, gateId: string): Promise<void> {
    const cancelled = await this.cancellation(owner, gateId);
    if (cancelled) await this.client.cancelBelow(owner.q, owner.id, cancelled.reason);
  }

  /** Of the gate, or of what waits for it. */
  private async cancellation(owner: JobPlace, gateId: string): Promise<{ reason?: string } | undefined> {
    for (const id of [gateId, owner.id]) {
      const status = await this.client.status(id);
      if (status?.state === 'cancelled') return status;
      // This process was taken for dead: the canvas has failed, and what is added now would run for nobody.
      if (id === gateId && status?.state === 'failed' && status.failedJob === undefined) return { reason: ABANDONED };
    }
    return undefined;
  }

  private async sayAlive(gateId: string): Promise<void> {
    try {
      await (await this.find(gateId))?.changeDelay(this.options.lease);
    } catch (error) {
      this.logger.debug(`The members of a group are still added, which could not be told: ${(error as Error).message}`);
    }
  }

  private async tellCount({ id, q }: JobPlace, count: number): Promise<void> {
    const job = await this.queues.get(q).getJob(id);
    if (!job) return;
    const { data } = withEnvelope(job);
    await job.updateData({ ...data, c: { ...data.c, t: count } });
  }

  /** Answers whether its time had not come: then it ends as it is told here. */
  private async settle(gateId: string, work: CanvasNodeWork): Promise<boolean> {
    const gate = await this.find(gateId);
    if (!gate) return false;
    await gate.updateData({ ...gate.data, c: { ...gate.data.c, n: work } });
    return gate.promote().then(
      () => true,
      () => false,
    );
  }

  /** Whether it was taken for dead in the last moment. */
  private async wasShut(gateId: string): Promise<boolean> {
    const gate = await this.find(gateId);
    if (gate?.finishedOn === undefined && (await gate?.isDelayed()) === true) return false;
    const status = await this.client.untilEnded(gateId, LOOK);
    return typeof status === 'object' && status.state === 'failed' && status.failedJob === undefined;
  }

  private async find(id: string): Promise<StoredJob | undefined> {
    const job = await this.queues.get(INTERNAL_QUEUE).getJob(id);
    return job && withEnvelope(job);
  }
}

/** The job of the library's own at a path. @internal */
export function nodePlace(path: string): JobPlace {
  return { id: idAt(INTERNAL_QUEUE, path), q: INTERNAL_QUEUE };
}
