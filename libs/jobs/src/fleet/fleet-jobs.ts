import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { invalidArgument } from '../client/invalid-argument.error.js';
import type { JobStatus } from '../client/job-status.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { assertDeclaredQueue } from '../options/option-reader.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import type { ActiveJob, FleetJobsOptions, ScheduledJob } from './fleet-types.js';
import { FleetProcesses } from './fleet-processes.js';

const MOST = 1_000;
const BY_DEFAULT = 100;
/** Jobs that are looked at for those that are scheduled: parked ones wait among them. */
const MOST_LOOKED_AT = 1_000;
/** Jobs that are read together, with their payloads. */
const TOGETHER = 100;

/** Reads from the store which jobs run and which are scheduled. @internal */
@Injectable()
export class FleetJobs {
  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    private readonly processes: FleetProcesses,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  async active(options: FleetJobsOptions): Promise<ActiveJob[]> {
    const { queues, limit } = this.read(options);
    const [found, holders] = await Promise.all([
      Promise.all(queues.map((queue) => this.activeIn(queue, limit))),
      this.holders(),
    ]);
    return found
      .flat()
      .sort((a, b) => compare(a.status.startedAt, b.status.startedAt))
      .slice(0, limit)
      .map(({ status, worker }) => {
        const process = worker === undefined ? undefined : holders.get(worker);
        const { id, task, queue, attempt, startedAt = '' } = status;
        return { id, task, queue, attempt, startedAt, ...(process !== undefined && { process }) };
      });
  }

  async scheduled(options: FleetJobsOptions): Promise<ScheduledJob[]> {
    const { queues, limit } = this.read(options);
    const found = await Promise.all(queues.map((queue) => this.scheduledIn(queue, limit)));
    return found
      .flat()
      .sort((a, b) => compare(a.dueAt, b.dueAt))
      .slice(0, limit);
  }

  /** The ids of the processes, by those of their workers. */
  private async holders(): Promise<ReadonlyMap<string, string>> {
    const records = await this.processes.records();
    return new Map(records.flatMap(({ id, queues }) => queues.map(({ worker }) => [worker, id] as const)));
  }

  private async activeIn(queue: string, limit: number): Promise<{ status: JobStatus; worker: string | undefined }[]> {
    const ids = await this.client.reach(() => this.backend.longestActive(this.queues.get(queue), limit));
    const [statuses, tokens] = await Promise.all([
      this.statusesOf(ids),
      this.client.reach(() => this.backend.claimTokens(this.queues.get(queue), ids)),
    ]);
    // BullMQ counts its fetches behind the id of the worker.
    return statuses.flatMap((status, n) =>
      status?.state === 'running' ? [{ status, worker: tokens[n]?.split(':')[0] }] : [],
    );
  }

  private async scheduledIn(queue: string, limit: number): Promise<ScheduledJob[]> {
    const found = new Map<string, ScheduledJob>();
    for (let from = 0; from < MOST_LOOKED_AT && found.size < limit; from += TOGETHER) {
      const ids = await this.client.reach(() =>
        this.queues.get(queue).getRanges(['delayed'], from, from + TOGETHER - 1, true),
      );
      for (const status of await this.statusesOf(ids)) {
        if (status?.state !== 'scheduled' && status?.state !== 'retrying') continue;
        const { id, task, state, scheduledFor, createdAt } = status;
        found.set(id, { id, task, queue, state, dueAt: scheduledFor ?? createdAt });
      }
      if (ids.length < TOGETHER) break;
    }
    return [...found.values()].slice(0, limit);
  }

  private statusesOf(ids: readonly string[]): Promise<(JobStatus | undefined)[]> {
    return Promise.all(ids.map((id) => this.client.status(id)));
  }

  private read({ queue, limit = BY_DEFAULT }: FleetJobsOptions): { queues: string[]; limit: number } {
    if (queue !== undefined) assertDeclaredQueue(queue, 'queue', this.options.queues);
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST) {
      throw invalidArgument('limit', `a whole number from 1 to ${MOST}`, limit);
    }
    const declared = [...this.options.queues.keys()].filter((name) => name !== INTERNAL_QUEUE);
    return { queues: queue === undefined ? declared : [queue], limit };
  }
}

function compare(a = '', b = ''): number {
  return a < b ? -1 : Number(a > b);
}
