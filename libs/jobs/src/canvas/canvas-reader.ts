import { Injectable } from '@nestjs/common';
import { JobReader, type FoundJob } from '../client/job-reader.js';
import { JobsClient } from '../client/jobs-client.js';
import { queueOfJobId } from '../client/job-id.js';
import { readStatus } from '../client/read-status.js';
import { idAt, memberPath, pathOf, spawnerPath } from './canvas-ids.js';
import { CANVAS_QUEUE } from './canvas-part.js';

/** How many parts of a canvas stand where. A member of a group counts as one, also when it is a canvas itself. @publicApi */
export interface CanvasCounts {
  /** Steps and members together; of a group that is added while it is read, those that are there. */
  readonly total: number;
  /** Those that have not ended. */
  readonly open: number;
  readonly succeeded: number;
  /** Those that failed, or were cancelled. */
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

  private async countMembers({ job }: FoundJob, tally: Tally): Promise<void> {
    const { t, s } = job.data.c!;
    const { processed = 0, unprocessed = 0, ignored = 0, failed = 0 } = await job.getDependenciesCount();
    // What adds members, or lets them be added, is a child as well.
    const adder = s
      ? await this.reader.find(CANVAS_QUEUE, idAt(CANVAS_QUEUE, spawnerPath(pathOf(job.id!))))
      : undefined;
    const hasAdded = s && (!adder || adder.state === 'completed');
    const succeeded = processed - (hasAdded ? 1 : 0);
    const lost = ignored + failed - (adder?.state === 'failed' ? 1 : 0);
    tally.total += t ?? processed + unprocessed + ignored + failed - (s ?? 0);
    tally.succeeded += succeeded;
    tally.failed += lost;
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
    const job = (await this.reader.find(CANVAS_QUEUE, id))?.job;
    const { processed = {}, unprocessed = [], failed = [] } = (await job?.getDependencies()) ?? {};
    const keys = [...Object.keys(processed), ...unprocessed, ...failed];
    return [...new Set(keys.map((key) => key.split(':').at(-2)!))];
  }
}

function count(tally: Tally, state: string): void {
  tally.total++;
  if (state === 'succeeded') tally.succeeded++;
  else if (state === 'failed' || state === 'cancelled') tally.failed++;
}
