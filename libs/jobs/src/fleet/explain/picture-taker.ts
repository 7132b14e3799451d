import { Inject, Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { QUEUE_BACKEND } from '../../backend/backend.tokens.js';
import type { LimitSeen } from '../../backend/limits.js';
import type { LineSeen } from '../../backend/lines.js';
import type { QueueBackend } from '../../backend/queue-backend.js';
import { memberNumber } from '../../canvas/canvas-ids.js';
import { memberOf } from '../../client/flow-members.js';
import { JobReader, type FoundJob } from '../../client/job-reader.js';
import { JobsClient } from '../../client/jobs-client.js';
import { Queues } from '../../client/queues.js';
import { readStatus } from '../../client/read-status.js';
import { Parking } from '../../parking/parking.js';
import { FleetProcesses } from '../fleet-processes.js';
import {
  isUnmoved,
  parkedFor,
  waitsForTurn,
  type ChildrenSeen,
  type JobPicture,
  type QueueSeen,
  type Surroundings,
} from './job-picture.js';
import { claimOf, servingProcesses } from './serving-processes.js';

/** How often a job is looked at that moves on while it is. */
const MOST_LOOKS = 5;
/** Jobs before one that are counted. */
const MOST_BEFORE = 5_000;
/** Children that are told by name. */
const MOST_NAMED = 10;
/** Those that the first are found among: a store has them in no order. */
const MOST_CHILDREN = 100;

const NOTHING: Surroundings = {
  claim: undefined,
  serving: [],
  queue: undefined,
  position: undefined,
  line: undefined,
  limit: undefined,
  children: undefined,
};

/**
 * Looks at a job and at what is around it. Those are several reads, and the job may move on between them: then it is looked
 * at again, so that no lock is told as its reason that it has long got.
 *
 * @internal
 */
@Injectable()
export class PictureTaker {
  constructor(
    private readonly reader: JobReader,
    private readonly client: JobsClient,
    private readonly queues: Queues,
    private readonly parking: Parking,
    private readonly processes: FleetProcesses,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  /**
   * Undefined when there is no such job, or it is not kept any more.
   *
   * @param queue - of the job; one that this process need not have declared.
   * @throws {@link BackendUnavailableError} within `connectTimeout`.
   */
  async of(queue: string, id: string): Promise<JobPicture | undefined> {
    let found = await this.find(queue, id);
    for (let looks = 1; found; looks++) {
      const now = Date.now();
      const { job, state } = found;
      const status = readStatus(job, state);
      if (job.finishedOn !== undefined) return { ...found, status, now, surroundings: NOTHING };
      const surroundings = await this.around(found);
      const again = await this.find(queue, id);
      if (again && (isUnmoved(found, again) || looks === MOST_LOOKS)) return { ...found, status, now, surroundings };
      found = again;
    }
    return undefined;
  }

  private find(queue: string, id: string): Promise<FoundJob | undefined> {
    return this.client.reach(() => this.reader.findUnexpired(queue, id));
  }

  private around(found: FoundJob): Promise<Surroundings> {
    const queue = this.queues.get(found.job.queueName);
    return this.client.reach(async () => {
      // Not a pipeline: what one of them is refused for must not take the others along.
      const isActive = found.state === 'active';
      const [processes, tokens, seen, position, line, limit, children] = await Promise.all([
        this.processes.records(),
        isActive ? this.backend.claimTokens(queue, [found.job.id!]) : undefined,
        isActive ? undefined : this.seen(queue),
        waitsForTurn(found) ? this.backend.positionOf(queue, found.job.id!, MOST_BEFORE) : undefined,
        this.lineOf(found),
        this.limitOf(found),
        found.state === 'waiting-children' ? childrenOf(found) : undefined,
      ]);
      return {
        claim: tokens && claimOf(processes, queue.name, tokens[0]),
        serving: servingProcesses(processes, queue.name),
        queue: seen,
        position,
        line,
        limit,
        children,
      };
    });
  }

  private async seen(queue: Queue): Promise<QueueSeen> {
    const [isPaused, globalConcurrency, limit, limitedFor, { active = 0 }] = await Promise.all([
      queue.isPaused(),
      queue.getGlobalConcurrency(),
      queue.getGlobalRateLimit(),
      queue.getRateLimitTtl(),
      queue.getJobCounts('active'),
    ]);
    return {
      isPaused,
      active,
      globalConcurrency: globalConcurrency ?? undefined,
      // Without a limit that all workers know, they do not look at the time either.
      limitedFor: limit ? Math.max(limitedFor, 0) : 0,
    };
  }

  private async lineOf(found: FoundJob): Promise<LineSeen | undefined> {
    const line = parkedFor(found)?.line;
    if (!line) return undefined;
    return this.backend.lines.look(this.parking.line(line.name, line.places), found.job.id!, line.turn);
  }

  private async limitOf(found: FoundJob): Promise<LimitSeen | undefined> {
    const reserved = parkedFor(found)?.reserved;
    return reserved && this.backend.limits.look(reserved);
  }
}

async function childrenOf({ job }: FoundJob): Promise<ChildrenSeen> {
  const [{ unprocessed = 0 }, found] = await Promise.all([
    job.getDependenciesCount({ unprocessed: true }),
    job.getDependencies({ unprocessed: { cursor: 0, count: MOST_CHILDREN } }),
  ]);
  const members = (found.unprocessed ?? []).map(memberOf);
  const byPlace = members.toSorted((a, b) => (memberNumber(a.id) ?? -1) - (memberNumber(b.id) ?? -1));
  // Of two reads one may have missed a child that has just been added.
  return { waiting: Math.max(unprocessed, members.length), some: byPlace.slice(0, MOST_NAMED) };
}
