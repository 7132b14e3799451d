import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';

const FORGET = `
local id = ARGV[1]
local data = table.remove(KEYS, 1)
local completed, failed = KEYS[1], KEYS[2]
local ended = redis.call('ZSCORE', completed, id) or redis.call('ZSCORE', failed, id)
if ended and tonumber(ended) > tonumber(ARGV[2]) then return 0 end
if not ended then
  for n = 3, 5 do if redis.call('ZSCORE', KEYS[n], id) then return 0 end end
  for n = 6, 7 do if redis.call('LPOS', KEYS[n], id) then return 0 end end
end
redis.call('ZREM', completed, id)
redis.call('ZREM', failed, id)
local kinds = { ':logs', ':dependencies', ':processed', ':failed', ':unsuccessful' }
for _, kind in ipairs(kinds) do redis.call('DEL', data .. kind) end
return redis.call('DEL', data)`;

const STATES = ['completed', 'failed', 'delayed', 'prioritized', 'waiting-children', 'wait', 'active'];

/** What a refused job left behind is in no state, and yet BullMQ takes it for a job. @internal */
export async function forgetJob(
  client: Redis | Cluster,
  queue: Queue,
  jobId: string,
  endedBy: number,
): Promise<boolean> {
  const keys = [jobId, ...STATES].map((name) => queue.toKey(name));
  return (await client.eval(FORGET, keys.length, ...keys, jobId, endedBy)) === 1;
}
