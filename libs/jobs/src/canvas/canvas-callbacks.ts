import { Inject, Injectable, Logger } from '@nestjs/common';
import { WaitingError } from 'bullmq';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { ChildFailure } from '../client/child-failure.js';
import type { StoredJob } from '../client/envelope.js';
import { JobsClient } from '../client/jobs-client.js';
import { retention } from '../client/prepared-job.js';
import { Queues } from '../client/queues.js';
import { packResult } from '../client/stored-result.js';
import { REFUSED_FOR, type Tell } from '../client/tell.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { describeError } from '../retry/attempt-record.js';
import type { CanvasFailure } from './canvas-failure.js';
import { callbackPath, pathOf } from './canvas-ids.js';
import { INTERNAL_QUEUE, type CanvasNodeWork } from './canvas-part.js';
import { nodeJob, type FlowJob, type Frame } from './flow-job.js';
import type { PlacedCanvas } from './placed-canvas.js';

/** By then the end is stored, most often; without it, the job would be fetched and put back first. */
const HEAD_START = 100;

/**
 * Stores the jobs that start links and errbacks, before the end that they are for: no crash can come in between and lose
 * them. Their ids are the same each time, and each looks itself whether that end came. A store that refuses them is asked
 * again for {@link REFUSED_FOR}, while the job is held; after that it ends without them.
 *
 * @internal
 */
@Injectable()
export class CanvasCallbacks {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** Of a job that is about to succeed; undefined when it has no links. */
  succeeding(job: StoredJob, result: unknown, tell: Tell): Promise<void> | undefined {
    const links = job.data.c?.l;
    if (!links) return undefined;
    const calls = links.map((canvas, n) => this.call(job, 'succeeded', canvas, n, result ?? null));
    return this.write(calls, tell);
  }

  /** Of a job that is about to fail with an error of its own. */
  failing(job: StoredJob, error: unknown, tell: Tell): Promise<void> | undefined {
    return this.errbacks(job, 0, { jobId: job.id!, task: job.name, error: describeError(error) }, tell);
  }

  /** Of a job that is about to fail along with another one. */
  failingAlong(job: StoredJob, { jobId, task, error, steps }: ChildFailure, tell: Tell): Promise<void> | undefined {
    return this.errbacks(job, steps, { jobId, task, error }, tell);
  }

  /** @param steps - how many jobs of the chain before this one the failure is away. */
  private errbacks(job: StoredJob, steps: number, failure: CanvasFailure, tell: Tell): Promise<void> | undefined {
    const calls = (job.data.c?.e ?? []).flatMap(({ c, w = 1 }, n) =>
      steps < w ? [this.call(job, 'failed', c, n, failure)] : [],
    );
    return calls.length > 0 ? this.write(calls, tell) : undefined;
  }

  private async write(calls: readonly FlowJob[], tell: Tell): Promise<void> {
    const tagged = calls.flatMap(({ data, opts }) =>
      (data.t ?? []).map((tag) => ({ tag, jobId: opts.jobId, ttl: this.client.taggedFor })),
    );
    try {
      await tell(async () => {
        if (tagged.length > 0) await this.backend.tags.add(tagged);
        await this.queues.get(INTERNAL_QUEUE).addBulk(calls.map(({ name, data, opts }) => ({ name, data, opts })));
      }, REFUSED_FOR);
    } catch (refusal) {
      // The job is not in this worker's hands any more; whoever has it next stores them.
      if (refusal instanceof WaitingError) throw refusal;
      // The job's own end must not be another one for that.
      const [{ data }] = calls as [FlowJob];
      const { o, at } = data.c!.n as CanvasNodeWork & { k: 'call' };
      const which = at === 'succeeded' ? 'Links' : 'Errbacks';
      this.logger.error(`${which} of job ${o.id} may not be started: ${(refusal as Error).message}`);
    }
  }

  private call(
    { id, queueName, data }: StoredJob,
    at: 'succeeded' | 'failed',
    canvas: PlacedCanvas,
    n: number,
    value: unknown,
  ): FlowJob {
    const frame: Frame = {
      headers: data.h,
      rootId: data.r ?? id,
      stamps: data.t,
      retention: retention(this.options),
    };
    const path = callbackPath(pathOf(id!), at === 'succeeded' ? 'l' : 'e', n);
    const work: CanvasNodeWork = { k: 'call', o: { id: id!, q: queueName }, at, c: canvas };
    const call = nodeJob(path, { n: work, v: [packResult(value)] }, [], frame, undefined);
    return { ...call, opts: { ...call.opts, delay: HEAD_START } };
  }
}
