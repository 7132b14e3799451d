import type { Cluster, Redis } from 'ioredis';
import { MOST_AHEAD, type Holding, type Line, type Lines, type TakeOptions, type Waiting } from '../lines.js';

/** What is left of a line that nobody asked about for so long (ms) is forgotten: whoever waits asks more often. */
const FORGOTTEN_AFTER = 24 * 60 * 60 * 1_000;

/**
 * `holders` and `called` are sorted by expiry, `waiting` by turn; `called` is a part of `waiting`. Tokens and turns come
 * from one counter of the namespace that never expires.
 */
const COMMON = `
local holders, tokens, waiting, called, counter = unpack(KEYS)
local places, patience, id = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function expire()
  for _, holder in ipairs(redis.call('ZRANGEBYSCORE', holders, '-inf', now)) do redis.call('HDEL', tokens, holder) end
  redis.call('ZREMRANGEBYSCORE', holders, '-inf', now)
  for _, waiter in ipairs(redis.call('ZRANGEBYSCORE', called, '-inf', now)) do redis.call('ZREM', waiting, waiter) end
  redis.call('ZREMRANGEBYSCORE', called, '-inf', now)
end
local function free()
  return places - redis.call('ZCARD', holders) - redis.call('ZCARD', called)
end
local function call()
  local count, found = free(), {}
  if count > 0 then
    for _, waiter in ipairs(redis.call('ZRANGE', waiting, 0, count + redis.call('ZCARD', called) - 1)) do
      if #found < count and not redis.call('ZSCORE', called, waiter) then
        redis.call('ZADD', called, now + patience, waiter)
        found[#found + 1] = waiter
      end
    end
  end
  return found
end
local function keep(ttl)
  local wanted = math.max(${FORGOTTEN_AFTER}, 2 * ttl)
  for n = 1, 4 do
    if redis.call('PTTL', KEYS[n]) < wanted then redis.call('PEXPIRE', KEYS[n], wanted) end
  end
end
`;

const TAKE = `${COMMON}
local ttl, stand, turn = tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6])
expire()
turn = tonumber(redis.call('ZSCORE', waiting, id)) or turn
local function ahead()
  local count = redis.call('ZCOUNT', waiting, '-inf', turn and '(' .. turn or '+inf')
  for _, waiter in ipairs(redis.call('ZRANGE', called, 0, -1)) do
    if not turn or tonumber(redis.call('ZSCORE', waiting, waiter)) < turn then count = count - 1 end
  end
  return math.min(count, math.max(places, ${MOST_AHEAD}))
end
local mine = redis.call('ZSCORE', holders, id) or redis.call('ZSCORE', called, id)
local before = ahead()
if mine or free() > before then
  redis.call('ZREM', waiting, id)
  redis.call('ZREM', called, id)
  local token = redis.call('INCR', counter)
  redis.call('ZADD', holders, now + ttl, id)
  redis.call('HSET', tokens, id, token)
  local found = call()
  keep(ttl)
  return { 1, token, 0, 0, found }
end
if stand then
  turn = turn or redis.call('INCR', counter)
  redis.call('ZADD', waiting, turn, id)
end
local found = call()
keep(ttl)
local freeAt
for _, key in ipairs({ holders, called }) do
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  if first then freeAt = math.min(freeAt or math.huge, tonumber(first)) end
end
return { 0, stand and turn or -1, before, math.max((freeAt or now) - now, 0), found }`;

const RENEW = `${COMMON}
if redis.call('HGET', tokens, id) ~= ARGV[4] then return 0 end
redis.call('ZADD', holders, now + ARGV[5], id)
keep(tonumber(ARGV[5]))
return 1`;

const FREE = `${COMMON}
expire()
if redis.call('HGET', tokens, id) == ARGV[4] then
  redis.call('ZREM', holders, id)
  redis.call('HDEL', tokens, id)
end
local found = call()
keep(0)
return found`;

const LEAVE = `${COMMON}
expire()
redis.call('ZREM', waiting, id)
redis.call('ZREM', called, id)
if ARGV[4] == '1' then
  redis.call('ZREM', holders, id)
  redis.call('HDEL', tokens, id)
end
local found = call()
keep(0)
return found`;

const IS_CALLED = `${COMMON}
local till = redis.call('ZSCORE', called, id)
return till and tonumber(till) > now and 1 or 0`;

type Taken = [isHolder: 0 | 1, number: number, ahead: number, freeIn: number, wake: string[]];

/** Sorted sets for each line. @internal */
export class RedisLines implements Lines {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly prefix: string,
  ) {}

  async take(line: Line, id: string, { ttl, stand, turn }: TakeOptions): Promise<Holding | Waiting> {
    const rest = [Math.ceil(ttl), stand ? 1 : 0, turn ?? ''];
    const [isHolder, number, ahead, freeIn, wake] = (await this.run(TAKE, line, id, rest)) as Taken;
    if (isHolder === 1) return { kind: 'holds', fencingToken: number, wake };
    return { kind: 'waits', turn: number < 0 ? undefined : number, ahead, freeIn, wake };
  }

  async renew(line: Line, id: string, fencingToken: number, ttl: number): Promise<boolean> {
    return (await this.run(RENEW, line, id, [fencingToken, Math.ceil(ttl)])) === 1;
  }

  async free(line: Line, id: string, fencingToken: number): Promise<string[]> {
    return (await this.run(FREE, line, id, [fencingToken])) as string[];
  }

  async leave(line: Line, id: string, withPlace = false): Promise<string[]> {
    return (await this.run(LEAVE, line, id, [withPlace ? 1 : 0])) as string[];
  }

  async isCalled(line: Line, id: string): Promise<boolean> {
    return (await this.run(IS_CALLED, line, id, [])) === 1;
  }

  private run(script: string, line: Line, id: string, rest: (string | number)[]): Promise<unknown> {
    const keys = ['holders', 'tokens', 'waiting', 'called'].map((part) => `${this.prefix}:line:${line.name}:${part}`);
    keys.push(`${this.prefix}:fencing`);
    return this.client.eval(script, keys.length, ...keys, line.places, Math.ceil(line.patience), id, ...rest);
  }
}
