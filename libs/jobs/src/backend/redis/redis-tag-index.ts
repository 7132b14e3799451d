import type { Cluster, Redis } from 'ioredis';
import type { JobPlace } from '../job-sets.js';
import type { TaggedJob, TagIndex, TagPage } from '../tag-index.js';
import { readPlaces, SORTED_SET_PAGE } from './redis-job-sets.js';

/** Entries that one call writes: Redis serves nobody else meanwhile. */
const BATCH = 500;

/** Entries that one call reads, for the same reason. */
const SCANNED = 1_000;

/** The whole set goes when its last entry has expired: a tag may never be used again. */
const ADD = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for i = 1, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'GT', now + ARGV[i + 1], ARGV[i]) end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], last[2])`;

/** By the clock of the node that has the key. */
const NOW = `
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)`;

/** A sorted set for each tag, by expiry. @internal */
export class RedisTagIndex implements TagIndex {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly prefix: string,
  ) {}

  async add(jobs: readonly TaggedJob[]): Promise<void> {
    const byTag = new Map<string, (string | number)[]>();
    for (const { tag, jobId, ttl } of jobs) {
      const entries = byTag.get(tag);
      if (entries) entries.push(jobId, Math.ceil(ttl));
      else byTag.set(tag, [jobId, Math.ceil(ttl)]);
    }
    const calls = [...byTag].flatMap(([tag, entries]) =>
      Array.from({ length: Math.ceil(entries.length / (2 * BATCH)) }, (_, n) => {
        return this.client.eval(ADD, 1, this.key(tag), ...entries.slice(n * 2 * BATCH, (n + 1) * 2 * BATCH));
      }),
    );
    await Promise.all(calls);
  }

  async remove(jobs: readonly Pick<TaggedJob, 'tag' | 'jobId'>[]): Promise<void> {
    await Promise.all(jobs.map(({ tag, jobId }) => this.client.zrem(this.key(tag), jobId)));
  }

  async jobsWith(tag: string): Promise<string[]> {
    const key = this.key(tag);
    const now = (await this.client.eval(NOW, 1, key)) as number;
    // May name an id twice, and names each that is there all the time.
    const ids = new Set<string>();
    let cursor = '0';
    do {
      const [next, entries] = await this.client.zscan(key, cursor, 'COUNT', SCANNED);
      for (let n = 0; n < entries.length; n += 2) if (Number(entries[n + 1]) > now) ids.add(entries[n]!);
      cursor = next;
    } while (cursor !== '0');
    return [...ids].sort();
  }

  async page(tag: string, after: JobPlace | undefined, most: number): Promise<TagPage> {
    const values = [Date.now(), after?.at ?? '+inf', after?.at ?? '', after?.id ?? '', most];
    const jobs = readPlaces(await SORTED_SET_PAGE.run(this.client, [this.key(tag)], values));
    return { jobs, next: jobs.length < most ? undefined : jobs.at(-1) };
  }

  /** With an underscore, which no queue has in its name: BullMQ's keys begin with that. */
  private key(tag: string): string {
    return `${this.prefix}:_tag:${tag}`;
  }
}
