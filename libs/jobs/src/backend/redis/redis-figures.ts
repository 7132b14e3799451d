import type { Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { MOST_DEAD_LETTERS, type QueueFigures } from '../../census/figures.js';
import { boundsOf, type FailedRange } from '../failed-jobs.js';
import {
  MOST_FAILED_LOOKED_AT,
  MOST_LINES,
  MOST_PRIORITIES,
  type FiguresQuestion,
  type StoreFigures,
  type StoredFigures,
} from '../stored-figures.js';
import { LINES_WITH_WAITERS } from './lines-script.js';
import { RedisScript } from './redis-script.js';
import { WALK_PAGE } from './sorted-set-page.js';

/** Queues that are counted in one step: Redis serves nobody else meanwhile. */
const QUEUES = 50;
/** Failed jobs, and lines, that are looked at in one step: one or two milliseconds. */
const PAGE = 500;

/**
 * Workers take from the end of `wait`; a score of `prioritized` is the priority, and a place among those that have it. A job
 * that is back in the queue has waited since a worker had it. One whose time has come stays among the delayed until a worker
 * fetches.
 */
const COUNT = new RedisScript(
  'count',
  `
local time = redis.call('TIME')
local now, rows = time[1] * 1000 + math.floor(time[2] / 1000), {}
for n, base in ipairs(KEYS) do
  local oldest
  local function look(id)
    local timestamp, opts, begun = unpack(redis.call('HMGET', base .. id, 'timestamp', 'opts', 'processedOn'))
    if not timestamp then return end
    local isJson, read = pcall(cjson.decode, opts or '')
    local delay = isJson and type(read) == 'table' and tonumber(read.delay) or 0
    oldest = math.min(oldest or math.huge, math.max(tonumber(timestamp) + delay, tonumber(begun or 0)))
  end
  local first = redis.call('LINDEX', base .. 'wait', -1)
  if first then look(first) end
  local from = '-inf'
  for _ = 1, ${MOST_PRIORITIES} do
    local entry = redis.call('ZRANGEBYSCORE', base .. 'prioritized', from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if not entry[1] then break end
    look(entry[1])
    from = string.format('%.0f', (math.floor(tonumber(entry[2]) / 0x100000000) + 1) * 0x100000000)
  end
  local due = redis.call('ZCOUNT', base .. 'delayed', '-inf', string.format('%.0f', now * 0x1000 + 0xfff))
  if due > 0 then
    local at = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')[2]
    oldest = math.min(oldest or math.huge, math.floor(at / 0x1000))
  end
  rows[n] = {
    redis.call('LLEN', base .. 'wait') + redis.call('ZCARD', base .. 'prioritized') + due,
    redis.call('ZCARD', base .. 'delayed') - due,
    redis.call('ZCARD', base .. 'waiting-children'),
    redis.call('LLEN', base .. 'active'),
    redis.call('HEXISTS', base .. 'meta', 'paused'),
    redis.call('EXISTS', base .. 'failed'),
    oldest and string.format('%.0f', oldest) or ''
  }
end
return rows`,
);

const COUNT_FAILED = new RedisScript(
  'count-failed',
  `${WALK_PAGE}
local from, to, afterAt, afterId, most, reason, base, ids = unpack(ARGV)
local looked, count, lastId, lastAt = 0, 0, '', ''
walkPage(KEYS[1], true, from, '(' .. to, afterAt, afterId, tonumber(most), function(id, at)
  looked, lastId, lastAt = looked + 1, id, at
  if id:sub(1, #ids) ~= ids then return end
  for _, said in ipairs(redis.call('HMGET', base .. id, 'failedReason', 'defa')) do
    if said and said:sub(1, #reason) == reason then return end
  end
  count = count + 1
end)
return { looked, count, lastId, lastAt }`,
);

/** A line that has expired leaves its name behind. Whoever was called and did not come stands in none any more. */
const COUNT_WAITERS = new RedisScript(
  'count-waiters',
  `
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local time = redis.call('TIME')
local now, count = time[1] * 1000 + math.floor(time[2] / 1000), 0
for _, name in ipairs(names) do
  local line = KEYS[2] .. name .. ':'
  local waiting = redis.call('ZCARD', line .. 'waiting')
  if waiting == 0 then
    redis.call('ZREM', KEYS[1], name)
  else
    count = count + math.max(waiting - redis.call('ZCOUNT', line .. 'called', '-inf', now), 0)
  end
end
return { #names, count, names[#names] or '' }`,
);

type Row = [
  waiting: number,
  delayed: number,
  blocked: number,
  running: number,
  isPaused: 0 | 1,
  hasFailed: 0 | 1,
  oldest: string,
];

type Counted = Omit<QueueFigures, 'deadLetters'> & { readonly hasFailed: boolean };

/** Of BullMQ's own lists and sets, all but the failed in one round trip. @internal */
export class RedisFigures implements StoredFigures {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly prefix: string,
  ) {}

  async read(question: FiguresQuestion): Promise<StoreFigures> {
    const [counted, locksWaiting] = await Promise.all([
      this.count(question.queues),
      this.countWaiters(question.lockLines),
    ]);
    const queues: QueueFigures[] = [];
    // One after the other, for what many dead letters are is not urgent to Redis.
    for (const [n, { hasFailed, ...figures }] of counted.entries()) {
      const deadLetters = hasFailed ? await this.countDeadLetters(question.queues[n]!, question) : 0;
      queues.push({ ...figures, deadLetters });
    }
    return { queues, locksWaiting };
  }

  private async count(queues: readonly Queue[]): Promise<Counted[]> {
    const counted: Counted[] = [];
    for (let n = 0; n < queues.length; n += QUEUES) {
      const together = queues.slice(n, n + QUEUES);
      const keys = together.map((queue) => queue.toKey(''));
      const rows = (await COUNT.run(this.client, keys, [])) as Row[];
      counted.push(...rows.map((row, m) => countedOf(together[m]!.name, row)));
    }
    return counted;
  }

  private async countDeadLetters(queue: Queue, { deadLettersSince, exceptReason }: FiguresQuestion): Promise<number> {
    let [total, lookedAt] = [0, 0];
    let after: FailedRange['after'];
    do {
      const range: FailedRange = {
        order: 'newest',
        from: deadLettersSince,
        to: Number.MAX_SAFE_INTEGER,
        after,
        most: PAGE,
        exceptReason,
      };
      const { from, to } = boundsOf(range);
      const place = [after?.at ?? '', after?.id ?? ''];
      const values = [from, to, ...place, PAGE, exceptReason, queue.toKey(''), `${queue.name}_`];
      const answer = await COUNT_FAILED.run(this.client, [queue.toKey('failed')], values);
      const [looked, count, id, at] = answer as [number, number, string, string];
      lookedAt += looked;
      total += count;
      after = looked < PAGE ? undefined : { id, at: Number(at) };
    } while (after && lookedAt < MOST_FAILED_LOOKED_AT && total < MOST_DEAD_LETTERS);
    return Math.min(total, MOST_DEAD_LETTERS);
  }

  private async countWaiters(beginning: string): Promise<number> {
    const keys = [`${this.prefix}:${LINES_WITH_WAITERS}`, `${this.prefix}:line:`];
    let [total, lookedAt] = [0, 0];
    let from: string | undefined = `[${beginning}`;
    do {
      const answer = await COUNT_WAITERS.run(this.client, keys, [from, `(${after(beginning)}`, PAGE]);
      const [looked, count, last] = answer as [number, number, string];
      lookedAt += looked;
      total += count;
      from = looked < PAGE ? undefined : `(${last}`;
    } while (from !== undefined && lookedAt < MOST_LINES);
    return total;
  }
}

function countedOf(queue: string, [waiting, delayed, blocked, running, isPaused, hasFailed, oldest]: Row): Counted {
  return {
    queue,
    waiting,
    delayed,
    blocked,
    running,
    paused: isPaused === 1,
    hasFailed: hasFailed === 1,
    ...(oldest !== '' && { oldestWaitingSince: Number(oldest) }),
  };
}

/** The first text, by bytes, that is behind all that begin with this one. */
function after(beginning: string): string {
  const last = beginning.length - 1;
  return beginning.slice(0, last) + String.fromCharCode(beginning.charCodeAt(last) + 1);
}
