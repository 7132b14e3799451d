import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { isPlainObject } from '../../options/jobs-options.error.js';
import { promoteIfDelayed } from '../promote-marked.js';
import type { CancelMark, CancelMarks } from '../queue-backend.js';

/** Of so many jobs or more, the active ones are read once: each search goes through all of them. */
const MANY = 10;

const MARK = `
local waiting, active, beginning = ARGV[1], ARGV[2], ARGV[3]
local function isMarked(job)
  for _, said in ipairs(redis.call('HMGET', job, 'defa', 'failedReason')) do
    if said and said:sub(1, #beginning) == beginning then return true end
  end
  return false
end
local runs
if #KEYS - 2 < ${MANY} then
  runs = function(id) return redis.call('LPOS', KEYS[1], id) end
else
  local running = {}
  for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do running[id] = true end
  runs = function(id) return running[id] end
end
local found = {}
for n = 3, #KEYS do
  local job, id = KEYS[n], ARGV[n + 1]
  if redis.call('EXISTS', job) == 0 then
    found[n - 2] = 'missing'
  elseif redis.call('HEXISTS', job, 'finishedOn') == 1 then
    found[n - 2] = 'finished'
  elseif runs(id) then
    if not isMarked(job) then redis.call('HSET', job, 'defa', active) end
    found[n - 2] = 'active'
  else
    if not isMarked(job) then redis.call('HSET', job, 'defa', waiting, 'failedReason', waiting) end
    found[n - 2] = redis.call('ZSCORE', KEYS[2], id) and 'delayed' or 'marked'
  end
end
return found`;

const READ = `
local marks = {}
for n, job in ipairs(KEYS) do marks[n] = redis.call('HGET', job, 'defa') end
return marks`;

/** @internal */
export async function markCancelled(
  client: Redis | Cluster,
  queue: Queue,
  jobIds: readonly string[],
  { waiting, active, beginning }: CancelMarks,
): Promise<CancelMark[]> {
  const keys = ['active', 'delayed', ...jobIds].map((name) => queue.toKey(name));
  const marks = await client.eval(MARK, keys.length, ...keys, waiting, active, beginning, ...jobIds);
  return Promise.all(
    (marks as (CancelMark | 'delayed')[]).map(async (mark, n) => {
      if (mark !== 'delayed') return mark;
      await promoteIfDelayed(queue, jobIds[n]!);
      return 'marked';
    }),
  );
}

/** Each with a command of its own, or Redis would serve nobody else while it copies large payloads. @internal */
export async function readUnfinished(
  client: Redis | Cluster,
  queue: Queue,
  jobIds: readonly string[],
  field: string,
): Promise<unknown[]> {
  const found = await Promise.all(jobIds.map((id) => client.hmget(queue.toKey(id), 'data', 'finishedOn')));
  return found.map(([data, finishedOn]) => {
    if (!data || finishedOn != null) return undefined;
    const parsed: unknown = JSON.parse(data);
    return isPlainObject(parsed) ? parsed[field] : undefined;
  });
}

/** @internal */
export async function deferredFailures(
  client: Redis | Cluster,
  queue: Queue,
  jobIds: readonly string[],
): Promise<(string | undefined)[]> {
  const keys = jobIds.map((id) => queue.toKey(id));
  const found = (await client.eval(READ, keys.length, ...keys)) as (string | null)[];
  return found.map((mark) => mark ?? undefined);
}
