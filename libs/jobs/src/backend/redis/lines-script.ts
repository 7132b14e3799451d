import { MOST_AHEAD, type Line } from '../lines.js';

/** What is left of a line that nobody asked about for so long (ms) is forgotten: whoever waits asks more often. */
const FORGOTTEN_AFTER = 24 * 60 * 60 * 1_000;

/**
 * What scripts about one line are made of: the names, the time, and what needs both. The first keys and values of each
 * script are those of {@link lineKeys} and {@link lineValues}: what all keys of a line begin with, since to send each costs
 * time; in a cluster they are in one slot by the prefix.
 *
 * `holders` and `called` are sorted by expiry, `waiting` by turn; `called` is a part of `waiting`. Tokens and turns come
 * from one counter of the namespace that never expires.
 *
 * @internal
 */
export const LINE_NAMES = `
local base, counter = KEYS[1], KEYS[2]
local holders, tokens, waiting, called = base .. 'holders', base .. 'tokens', base .. 'waiting', base .. 'called'
local places, patience, id = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
`;

/** Most lines are empty: `holdAlone` is all that is to be done then. @internal */
export const LINE_CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function hold(ttl)
  local token = redis.call('INCR', counter)
  redis.call('ZADD', holders, now + ttl, id)
  redis.call('HSET', tokens, id, token)
  return token
end
local function holdAlone(ttl)
  local token = hold(ttl)
  local wanted = math.max(${FORGOTTEN_AFTER}, 2 * ttl)
  redis.call('PEXPIRE', holders, wanted)
  redis.call('PEXPIRE', tokens, wanted)
  return { 1, token, 0, 0, {} }
end
`;

/**
 * The names of lines in which somebody waits, so that those can be counted: a sorted set, all of one score. What a line
 * leaves in it that has expired is taken out by whoever counts, and bit by bit by those who add others.
 *
 * @internal
 */
export const LINES_WITH_WAITERS = '_waiting';

/** What that set is called, what the line is called in it, and how the keys of all begin. @internal */
export const LINE_IN_INDEX = `
local function inIndex()
  local prefix = counter:sub(1, -#'fencing' - 1)
  return prefix .. '${LINES_WITH_WAITERS}', base:sub(#prefix + #'line:' + 1, -2), prefix .. 'line:'
end
`;

/** `isOther`: another one waits, or one less. @internal */
export const LINE_FUNCTIONS = `${LINE_IN_INDEX}
local isOther = false
local function note()
  local index, name, lines = inIndex()
  if redis.call('EXISTS', waiting) == 0 then
    redis.call('ZREM', index, name)
  elseif redis.call('ZADD', index, 0, name) == 1 then
    local at = time[2] % redis.call('ZCARD', index)
    local any = redis.call('ZRANGE', index, at, at)[1]
    if redis.call('EXISTS', lines .. any .. ':waiting') == 0 then redis.call('ZREM', index, any) end
  end
end
local function expire()
  for _, holder in ipairs(redis.call('ZRANGEBYSCORE', holders, '-inf', now)) do redis.call('HDEL', tokens, holder) end
  redis.call('ZREMRANGEBYSCORE', holders, '-inf', now)
  for _, waiter in ipairs(redis.call('ZRANGEBYSCORE', called, '-inf', now)) do
    redis.call('ZREM', waiting, waiter)
    isOther = true
  end
  redis.call('ZREMRANGEBYSCORE', called, '-inf', now)
end
local function stopWaiting()
  if redis.call('ZREM', waiting, id) == 1 then isOther = true end
  redis.call('ZREM', called, id)
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
  for _, key in ipairs({ holders, tokens, waiting, called }) do
    if redis.call('PTTL', key) < wanted then redis.call('PEXPIRE', key, wanted) end
  end
  if isOther then note() end
end
local function take(ttl, stand, turn)
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
    stopWaiting()
    local token = hold(ttl)
    local found = call()
    keep(ttl)
    return { 1, token, 0, 0, found }
  end
  if stand then
    turn = turn or redis.call('INCR', counter)
    if redis.call('ZADD', waiting, turn, id) == 1 then isOther = true end
  end
  local found = call()
  keep(ttl)
  local freeAt
  for _, key in ipairs({ holders, called }) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if first then freeAt = math.min(freeAt or math.huge, tonumber(first)) end
  end
  return { 0, stand and turn or -1, before, math.max((freeAt or now) - now, 0), found }
end
local function giveUp()
  redis.call('ZREM', holders, id)
  redis.call('HDEL', tokens, id)
end
local function passOn()
  call()
  keep(0)
  local found = redis.call('ZRANGE', called, 0, -1)
  if #found > 1 then
    local turns = {}
    for _, waiter in ipairs(found) do turns[waiter] = tonumber(redis.call('ZSCORE', waiting, waiter)) or 0 end
    table.sort(found, function(a, b) return turns[a] < turns[b] end)
  end
  return found
end
`;

/** @internal */
export function lineKeys(prefix: string, { name }: Line): string[] {
  return [`${prefix}:line:${name}:`, `${prefix}:fencing`];
}

/** @internal */
export function lineValues({ places, patience }: Line, id: string): (string | number)[] {
  return [places, Math.ceil(patience), id];
}
