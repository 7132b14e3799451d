import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { RedisScript } from './redis-script.js';

const COUNT = new RedisScript(
  'count-log-lines',
  `
local counts = {}
for n, log in ipairs(KEYS) do counts[n] = redis.call('LLEN', log) end
return counts`,
);

/** @internal */
export async function countLogLines(
  client: Redis | Cluster,
  queue: Queue,
  jobIds: readonly string[],
): Promise<number[]> {
  const keys = jobIds.map((id) => queue.toKey(`${id}:logs`));
  return (await COUNT.run(client, keys, [])) as number[];
}
