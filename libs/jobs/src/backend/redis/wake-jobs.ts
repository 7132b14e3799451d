import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { RedisScript } from './redis-script.js';

/** Jobs that are woken in one step. */
const TOGETHER = 500;

/**
 * Into the list that workers take from first. The priority that is stored with the job stays: it counts again when another
 * attempt of it waits.
 */
const WAKE = new RedisScript(
  'wake',
  `
local delayed, wait, active, meta, marker, events = unpack(KEYS)
local paused, concurrency, kept = unpack(redis.call('HMGET', meta, 'paused', 'concurrency', 'opts.maxLenEvents'))
local woken = 0
for n = 2, #ARGV do
  local id = ARGV[n]
  if redis.call('ZREM', delayed, id) == 1 then
    redis.call('LPUSH', wait, id)
    redis.call('HSET', ARGV[1] .. id, 'delay', 0)
    redis.call('XADD', events, 'MAXLEN', '~', kept or 10000, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
    woken = woken + 1
  end
end
local maxed = concurrency and redis.call('LLEN', active) >= tonumber(concurrency)
if woken > 0 and not paused and not maxed then redis.call('ZADD', marker, 0, '0') end
return woken`,
);

/** @internal */
export async function wakeJobs(client: Redis | Cluster, queue: Queue, jobIds: readonly string[]): Promise<void> {
  const keys = ['delayed', 'wait', 'active', 'meta', 'marker', 'events'].map((name) => queue.toKey(name));
  for (let n = 0; n < jobIds.length; n += TOGETHER) {
    await WAKE.run(client, keys, [queue.toKey(''), ...jobIds.slice(n, n + TOGETHER)]);
  }
}
