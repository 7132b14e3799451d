import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import {
  boundsOf,
  pageOf,
  type FailedJobs,
  type FailedPage,
  type FailedRange,
  type FailedRow,
  type RedriveLink,
} from '../failed-jobs.js';
import { WALK_PAGE } from './sorted-set-page.js';

const PAGE = `${WALK_PAGE}
local order, from, to, afterAt, afterId, most, reason, base = unpack(ARGV)
local rows = {}
walkPage(KEYS[1], order == 'newest', from, '(' .. to, afterAt, afterId, tonumber(most), function(id, at)
  local excepted = 0
  for _, said in ipairs({ 'failedReason', 'defa' }) do
    local text = redis.call('HGET', base .. id, said)
    if text and text:sub(1, #reason) == reason then excepted = 1 end
  end
  rows[#rows + 1] = { id, at, excepted }
end)
return rows`;

/**
 * The link goes before everything else in the data, as text: decoded and encoded again by Lua, an empty array of the
 * payload would be an object.
 */
const LINK = `
local linked = {}
for i = 2, #ARGV, 3 do
  local id, at, newId = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key, score = ARGV[1] .. id, redis.call('ZSCORE', KEYS[1], id)
  local data = score and tonumber(score) == tonumber(at) and redis.call('HGET', key, 'data')
  if data and data:sub(1, 1) == '{' and data:sub(1, 6) ~= '{"w":"' then
    local rest = data:sub(2)
    if rest ~= '}' then rest = ',' .. rest end
    redis.call('HSET', key, 'data', '{"w":"' .. newId .. '"' .. rest)
    linked[#linked + 1] = id
  end
end
return linked`;

/** @internal */
export class RedisFailedJobs implements FailedJobs {
  constructor(private readonly client: Redis | Cluster) {}

  async page(queue: Queue, range: FailedRange): Promise<FailedPage> {
    const { order, after, most, exceptReason } = range;
    const { from, to } = boundsOf(range);
    const cursor = [after?.at ?? '', after?.id ?? ''];
    const args = [order, from, to, ...cursor, most, exceptReason, queue.toKey('')];
    const answer = await this.client.eval(PAGE, 1, queue.toKey('failed'), ...args);
    const rows = (answer as [string, string, number][]).map(([id, at, excepted]): FailedRow => {
      return { id, at: Number(at), excepted: excepted === 1 };
    });
    return pageOf(queue.name, rows, most);
  }

  async link(queue: Queue, links: readonly RedriveLink[]): Promise<Set<string>> {
    const args = links.flatMap(({ jobId, at, redrivenAs }) => [jobId, at, redrivenAs]);
    const linked = await this.client.eval(LINK, 1, queue.toKey('failed'), queue.toKey(''), ...args);
    return new Set(linked as string[]);
  }
}
