import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import type { Replaced, Replacement } from '../queue-backend.js';

/**
 * Where the job waits, and how workers are woken for it, is written as BullMQ's own scripts write it. What waits in `wait`
 * was called or given back, and so has been with a worker.
 */
const REPLACE = `
local key, delayed, prioritized, active, pc, meta, marker, events = unpack(KEYS)
local prefix, data, priority, attempts, now, due, maxWait, frees = unpack(ARGV)
local id = redis.call('GET', key)
if not id then return false end
local job = prefix .. id
local isDelayed = redis.call('ZSCORE', delayed, id)
local fields = { 'timestamp', 'opts', 'atm', 'stc', 'ats', 'progress', 'finishedOn', 'defa', 'priority' }
local timestamp, opts, made, stalled, started, progress, finishedOn, mark, before = unpack(redis.call('HMGET', job, unpack(fields)))
local isParked = tonumber(started or 0) > 0
local function isUnbegun()
  if not timestamp or finishedOn or mark or tonumber(made or 0) + tonumber(stalled or 0) > 0 then return false end
  if not isParked then return isDelayed or redis.call('ZSCORE', prioritized, id) end
  local isJson, said = pcall(cjson.decode, progress or '0')
  return isDelayed and isJson and type(said) == 'table' and said.waits and not said.begun
end
if not isUnbegun() then
  if frees == '1' then redis.call('DEL', key) end
  return false
end
priority, now, due, timestamp = tonumber(priority), tonumber(now), tonumber(due), tonumber(timestamp)
if maxWait ~= '' then due = math.min(due, timestamp + tonumber(maxWait)) end
local delay = math.max(due - now, 0)
opts = cjson.decode(opts)
opts.priority, opts.attempts = priority, tonumber(attempts)
if not isParked then opts.delay = delay > 0 and due - timestamp or 0 end
redis.call('HSET', job, 'data', data, 'opts', cjson.encode(opts), 'priority', priority)
if isParked then return { id, '0' } end
redis.call('HSET', job, 'delay', delay)
local function tell(...)
  local kept = redis.call('HGET', meta, 'opts.maxLenEvents') or 10000
  redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'jobId', id, ...)
end
if delay > 0 then
  redis.call('ZREM', prioritized, id)
  redis.call('ZADD', delayed, due * 0x1000, id)
  redis.call('ZADD', marker, redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2] / 0x1000, '1')
  tell('event', 'delayed', 'delay', string.format('%.0f', due))
elseif isDelayed or tonumber(before or 0) ~= priority then
  redis.call('ZREM', delayed, id)
  redis.call('ZADD', prioritized, priority * 0x100000000 + redis.call('INCR', pc) % 0x100000000, id)
  local paused, concurrency = unpack(redis.call('HMGET', meta, 'paused', 'concurrency'))
  local isMaxed = concurrency and redis.call('LLEN', active) >= tonumber(concurrency)
  if not paused and not isMaxed then redis.call('ZADD', marker, 0, '0') end
  if isDelayed then tell('event', 'waiting', 'prev', 'delayed') end
end
return { id, string.format('%.0f', delay) }`;

const NAMES = ['delayed', 'prioritized', 'active', 'pc', 'meta', 'marker', 'events'];

/** @internal */
export async function replaceUnbegun(
  client: Redis | Cluster,
  queue: Queue,
  key: string,
  { data, priority, attempts, now, due, maxWait, freesKey }: Replacement,
): Promise<Replaced | undefined> {
  const keys = [`de:${key}`, ...NAMES].map((name) => queue.toKey(name));
  const values = [queue.toKey(''), data, priority, attempts, now, due, maxWait ?? '', freesKey ? 1 : 0];
  const replaced = (await client.eval(REPLACE, keys.length, ...keys, ...values)) as [string, string] | null;
  return replaced ? { id: replaced[0], delay: Number(replaced[1]) } : undefined;
}
