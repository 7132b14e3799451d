import { Inject, Injectable } from '@nestjs/common';
import type { FlowJob as EngineFlow, FlowProducer } from 'bullmq';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { TaggedJob } from '../backend/tag-index.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import { JobEvents } from '../events/job-events.js';
import type { SentJob } from '../events/told-events.js';
import type { JobPlace } from './canvas-part.js';
import { jobsOf, type FlowJob } from './flow-job.js';

/** Jobs of many flows that are added in one step: less than 20 ms in which Redis serves nobody else. */
const PAGE = 125;

/** Of data, in one step. */
const MOST_BYTES = 2 ** 20;

/** Brings flows to the store. @internal */
@Injectable()
export class CanvasFlows {
  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    private readonly events: JobEvents,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  /** In one step, all or none; those that are there already, by their ids, stay. */
  async add(flow: FlowJob): Promise<void> {
    await this.tag([flow]);
    await this.send([flow], () => this.producer.add(flow as EngineFlow));
  }

  /** As children of a job, some at a time; each flow is there wholly or not at all. */
  async addBelow(parent: JobPlace, flows: AsyncIterable<FlowJob> | Iterable<FlowJob>): Promise<void> {
    let page: FlowJob[] = [];
    let [size, bytes] = [0, 0];
    const flush = async (): Promise<void> => {
      await this.addPage(parent, page);
      page = [];
      [size, bytes] = [0, 0];
    };
    for await (const flow of flows) {
      const added = [...jobsOf([flow])];
      const weight = added.reduce((sum, { data }) => sum + JSON.stringify(data).length, 0);
      if (size > 0 && (size + added.length > PAGE || bytes + weight > MOST_BYTES)) await flush();
      page.push(flow);
      size += added.length;
      bytes += weight;
      if (size >= PAGE || bytes >= MOST_BYTES) await flush();
    }
    await flush();
  }

  private async addPage({ id, q }: JobPlace, page: readonly FlowJob[]): Promise<void> {
    if (page.length === 0) return;
    await this.tag(page);
    const parent = { id, queue: this.queues.get(q).qualifiedName };
    const flows = page.map((flow) => ({ ...flow, opts: { ...flow.opts, parent } }));
    await this.send(page, () => this.producer.addBulk(flows as EngineFlow[]));
  }

  private send(flows: readonly FlowJob[], send: () => Promise<unknown>): Promise<unknown> {
    return this.events.sending(
      sentJobs(flows),
      () => this.client.reach(send),
      () => true,
    );
  }

  /** Before the jobs are sent: what is in the index and was never stored does no harm. */
  private async tag(flows: readonly FlowJob[]): Promise<void> {
    const tagged: TaggedJob[] = [];
    for (const { data, opts } of jobsOf(flows)) {
      for (const tag of data.t ?? []) {
        tagged.push({ tag, jobId: opts.jobId, ttl: (opts.delay ?? 0) + this.client.taggedFor });
      }
    }
    if (tagged.length > 0) await this.client.reach(() => this.backend.tags.add(tagged));
  }

  private get producer(): FlowProducer {
    return this.queues.flows();
  }
}

function* sentJobs(flows: readonly FlowJob[]): Generator<SentJob> {
  for (const { queueName: queue, name, data, opts } of jobsOf(flows)) yield { id: opts.jobId, queue, name, data, opts };
}
