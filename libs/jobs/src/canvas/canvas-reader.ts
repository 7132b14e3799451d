import { Injectable } from '@nestjs/common';
import type { JobState as EngineState } from 'bullmq';
import { JobReader, type FoundJob } from '../client/job-reader.js';
import type { JobState } from '../client/job-status.js';
import { JobsClient } from '../client/jobs-client.js';
import { queueOfJobId } from '../client/job-id.js';
import { readStatus } from '../client/read-status.js';
import { idAt, memberPath, pathOf, replacementPath, spawnerPath } from './canvas-ids.js';
import { INTERNAL_QUEUE } from './canvas-part.js';
import { isTask, stepsOf, type PlacedCanvas } from './placed-canvas.js';

/**
 * How many parts of a canvas stand where. A member of a group counts as one, also when it is a canvas itself, and so does a
 * task that has replaced itself. Jobs of the library's own do not count.
 *
 * @publicApi
 */
export interface CanvasCounts {
  /** Steps and members together; of a group that is added while it is read, those that are there. */
  readonly total: number;
  /** Those that have not ended. */
  readonly open: number;
  readonly succeeded: number;
  /** Those that failed, also along with others, or were cancelled. */
  readonly failed: number;
}

interface Tally {
  total: number;
  succeeded: number;
  failed: number;
}

/** Counts the parts of canvases. @internal */
@Injectable()
export class CanvasReader {
  constructor(
    private readonly reader: JobReader,
    private readonly client: JobsClient,
  ) {}

  /** Undefined when there is no such job. Reads one job for each step, and none of the members. */
  async counts(id: string): Promise<CanvasCounts | undefined> {
    const tally: Tally = { total: 0, succeeded: 0, failed: 0 };
    const isThere = await this.client.reach(() => this.countFrom(id, tally));
    return isThere ? { ...tally, open: tally.total - tally.succeeded - tally.failed } : undefined;
  }

  private async countFrom(last: string, tally: Tally): Promise<boolean> {
    let isThere = false;
    for (let id: string | undefined = last; id !== undefined;) {
      const found: FoundJob | undefined = await this.reader.find(queueOfJobId(id)!, id);
      if (!found) return isThere;
      isThere = true;
      const { c } = found.job.data;
      if (c?.n?.k !== 'gather') count(tally, readStatus(found.job, found.state).state);
      if (c?.g === 2) await this.countMembers(found, tally);
      else if (c?.n?.k === 'gather') await this.countPiece(id, c.t ?? 0, tally);
      id = c?.b;
    }
    return isThere;
  }

  private async countMembers({ job, state }: FoundJob, tally: Tally): Promise<void> {
    const { t, s, x } = job.data.c!;
    const { processed = 0, unprocessed = 0, ignored = 0, failed = 0 } = await job.getDependenciesCount();
    const path = pathOf(job.id!);
    // What adds members, or lets them be added, is a child as well, and so is what the job is replaced by.
    const adder = s && (await this.stateAt(INTERNAL_QUEUE, spawnerPath(path), 'completed'));
    const ended = job.finishedOn === undefined ? undefined : 'completed';
    const replacement = x && (await this.stateAt(lastQueueOf(x), replacementPath(path), ended));
    const others = [adder, replacement].filter((other) => other !== undefined);
    const members = processed + unprocessed + ignored + failed - others.length;
    const total = t ?? members;
    // What something before it failed for is not added any more.
    const lost = isLost(readStatus(job, state).state) ? Math.max(0, total - members) : 0;
    tally.total += total;
    tally.succeeded += processed - others.filter((other) => other === 'completed').length;
    tally.failed += ignored + failed + lost - others.filter((other) => other === 'failed').length;
  }

  /** `otherwise` is the state of what is not there. */
  private async stateAt<State>(queue: string, path: string, otherwise: State): Promise<EngineState | State> {
    return (await this.reader.find(queue, idAt(queue, path)))?.state ?? otherwise;
  }

  /** Of a chain that is added in pieces: a piece that is not there yet is open. */
  private async countPiece(relay: string, steps: number, tally: Tally): Promise<void> {
    const path = memberPath(pathOf(relay), 0);
    const before = tally.total;
    for (const queue of await this.queuesBelow(relay)) {
      if (await this.countFrom(idAt(queue, path), tally)) return;
    }
    tally.total = before + steps;
  }

  private async queuesBelow(id: string): Promise<string[]> {
    const job = (await this.reader.find(INTERNAL_QUEUE, id))?.job;
    const { processed = {}, unprocessed = [], failed = [] } = (await job?.getDependencies()) ?? {};
    const keys = [...Object.keys(processed), ...unprocessed, ...failed];
    return [...new Set(keys.map((key) => key.split(':').at(-2)!))];
  }
}

function lastQueueOf(canvas: PlacedCanvas): string {
  const last = stepsOf(canvas).at(-1)!;
  return isTask(last) ? last.q : INTERNAL_QUEUE;
}

function isLost(state: JobState): boolean {
  return state === 'failed' || state === 'cancelled';
}

function count(tally: Tally, state: JobState): void {
  tally.total++;
  if (state === 'succeeded') tally.succeeded++;
  else if (isLost(state)) tally.failed++;
}
