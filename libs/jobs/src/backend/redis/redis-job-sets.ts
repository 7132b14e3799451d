import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { jobPageOf, type JobPage, type JobPlace, type JobSet, type JobSets } from '../job-sets.js';
import { RedisScript } from './redis-script.js';
import { WALK_PAGE } from './sorted-set-page.js';

/** Entries of a list that are looked at: it has no order but that in which jobs came, and none can be found in it quickly. */
const MOST_LISTED = 10_000;

/** The members of a sorted set with their scores. @internal */
export const SORTED_SET_PAGE = new RedisScript(
  'sorted-set-page',
  `${WALK_PAGE}
local from, to, afterAt, afterId, most = unpack(ARGV)
local rows = {}
walkPage(KEYS[1], true, from, to, afterAt, afterId, tonumber(most), function(id, at) rows[#rows + 1] = { id, at } end)
return rows`,
);

/** @internal */
export function readPlaces(rows: unknown): JobPlace[] {
  return (rows as [string, string][]).map(([id, at]) => ({ id, at: Number(at) }));
}

/** @internal */
export class RedisJobSets implements JobSets {
  constructor(private readonly client: Redis | Cluster) {}

  async page(queue: Queue, set: JobSet, after: JobPlace | undefined, most: number): Promise<JobPage> {
    return jobPageOf(queue.name, await this.places(queue, set, after, most), most);
  }

  private async places(queue: Queue, set: JobSet, after: JobPlace | undefined, most: number): Promise<JobPlace[]> {
    if (set === 'active') return this.listed(queue.toKey('active'), after, most);
    if (set !== 'waiting') return this.sorted(queue.toKey(set), after, most);
    // What has a priority, and then what goes before all of that: it has no score, and counts as zero.
    const prioritized = after?.at === 0 ? [] : await this.sorted(queue.toKey('prioritized'), after, most);
    if (prioritized.length === most) return prioritized;
    const woken = await this.listed(
      queue.toKey('wait'),
      after?.at === 0 ? after : undefined,
      most - prioritized.length,
    );
    return [...prioritized, ...woken];
  }

  private async sorted(key: string, after: JobPlace | undefined, most: number): Promise<JobPlace[]> {
    const values = ['-inf', after?.at ?? '+inf', after?.at ?? '', after?.id ?? '', most];
    return readPlaces(await SORTED_SET_PAGE.run(this.client, [key], values));
  }

  /** By id, which stays what it is while the others move. */
  private async listed(key: string, after: JobPlace | undefined, most: number): Promise<JobPlace[]> {
    const ids = await this.client.lrange(key, 0, MOST_LISTED - 1);
    const left = after ? ids.filter((id) => id < after.id) : ids;
    // In the order of their bytes, since ids are ASCII.
    left.sort((a, b) => (a < b ? 1 : -1));
    return left.slice(0, most).map((id) => ({ id, at: 0 }));
  }
}
