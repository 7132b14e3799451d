import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { RedisScript } from './redis-script.js';

/** Workers take from the end of `wait`, and of the prioritized jobs only when that is empty. */
const POSITION = new RedisScript(
  'position',
  `
local wait, prioritized = unpack(KEYS)
local id, most = unpack(ARGV)
local rank = redis.call('ZRANK', prioritized, id)
if rank then return redis.call('LLEN', wait) + rank end
local at = redis.call('LPOS', wait, id, 'RANK', -1, 'MAXLEN', most + 1)
return at and redis.call('LLEN', wait) - 1 - at`,
);

/** @internal */
export async function positionOf(
  client: Redis | Cluster,
  queue: Queue,
  jobId: string,
  most: number,
): Promise<number | undefined> {
  const keys = ['wait', 'prioritized'].map((name) => queue.toKey(name));
  const position = (await POSITION.run(client, keys, [jobId, most])) as number | null;
  return position ?? undefined;
}
