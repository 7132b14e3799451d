import { isSpawner, memberNumber } from '../canvas/canvas-ids.js';
import type { StoredJob } from './envelope.js';
import { isLeaf, memberOf, type FlowMember } from './flow-members.js';
import type { FoundJob, JobReader } from './job-reader.js';
import type { JobTree } from './job-tree.js';
import { readStatus } from './read-status.js';

/** Of one job: those that are shown. */
const MOST_CHILDREN = 100;
/** Of a whole tree. */
const MOST_JOBS = 1_000;

/** Reads the tree of a job: some of each group, so that it stays small whatever the canvas. @internal */
export class TreeReader {
  private left = MOST_JOBS;

  /** @param reach - does something with the store, which must answer in time. The whole of a deep tree may take longer. */
  constructor(
    private readonly reader: JobReader,
    private readonly reach: <T>(work: () => Promise<T>) => Promise<T>,
  ) {}

  /** Undefined when there is no such job, or it is not kept any more. */
  async read(id: string): Promise<JobTree | undefined> {
    const found = await this.reach(() => this.reader.findKept(id));
    return found && this.treeOf(found);
  }

  private async treeOf(found: FoundJob): Promise<JobTree> {
    this.left--;
    const { id, task, queue, state, attempt, startedAt, finishedAt, error, failedJob } = readStatus(
      found.job,
      found.state,
    );
    const { children, more } = await this.childrenOf(found.job);
    return {
      id,
      task,
      queue,
      state,
      attempt,
      ...(startedAt !== undefined && { startedAt }),
      ...(finishedAt !== undefined && { finishedAt }),
      ...(error && { error }),
      ...(failedJob !== undefined && { failedJob }),
      children,
      ...(more > 0 && { more }),
    };
  }

  private async childrenOf(job: StoredJob): Promise<{ children: JobTree[]; more: number }> {
    if (isLeaf(job)) return { children: [], more: 0 };
    const { members, more } = await this.membersOf(job);
    const shown = members.slice(0, Math.max(0, this.left));
    const found = await this.reach(() => Promise.all(shown.map(({ queue, id }) => this.reader.find(queue, id))));
    const children: JobTree[] = [];
    let hidden = more + members.length - shown.length;
    for (const [n, child] of found.entries()) {
      if (!child) continue;
      if (!isSpawner(shown[n]!.id)) {
        children.push(await this.treeOf(child));
        continue;
      }
      // What adds members is no part of the canvas; what it waits for is.
      const below = await this.childrenOf(child.job);
      children.push(...below.children);
      hidden += below.more;
    }
    return { children, more: hidden };
  }

  private async membersOf(job: StoredJob): Promise<{ members: FlowMember[]; more: number }> {
    const page = { cursor: 0, count: MOST_CHILDREN };
    const [counts, found] = await this.reach(() =>
      Promise.all([
        job.getDependenciesCount(),
        job.getDependencies({ processed: page, unprocessed: page, failed: page, ignored: page }),
      ]),
    );
    const { processed = {}, unprocessed = [], ignored = {}, failed = [] } = found;
    const keys = [...failed, ...Object.keys(ignored), ...unprocessed, ...Object.keys(processed)];
    const members = [...new Set(keys)].map(memberOf).sort(byPlace);
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const shown = members.slice(0, MOST_CHILDREN);
    return { members: shown, more: Math.max(0, total - shown.length) };
  }
}

function byPlace(one: FlowMember, other: FlowMember): number {
  const [a, b] = [memberNumber(one.id) ?? -1, memberNumber(other.id) ?? -1];
  return a - b;
}
