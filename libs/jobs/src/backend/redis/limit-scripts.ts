import { WINDOW_PARTS } from '../limits.js';

/** Times are whole microseconds, which a double holds exactly; `..` would write them with 14 digits only. */
const COMMON = `
local bucket, rules = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
`;

/** The rule that counts now, and what the caller's cost is in it. */
const RULE = `
local name, limit, period, burst, algorithm, cost =
  ARGV[1], tonumber(ARGV[2]), ARGV[3] * 1000, tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local change, factor = unpack(redis.call('HMGET', rules, 'rule:' .. name, 'factor'))
if change then
  change = cjson.decode(change)
  burst = change.burst or (burst == limit and change.limit) or burst
  limit, period, algorithm = change.limit, change.period * 1000, change.algorithm or algorithm
end
factor = tonumber(factor or 1)
limit, burst = limit * factor, math.max(burst * factor, 1)
if algorithm ~= 'token-bucket' then
  if limit < 1 then
    period, limit = math.ceil(period / limit), 1
  else
    limit = math.floor(limit + 1e-9)
  end
  burst = limit
end
cost = math.min(cost, burst)
local part = math.ceil(period / ${WINDOW_PARTS})
local step = cost * (algorithm == 'sliding-window' and part * ${WINDOW_PARTS + 1} or period) / limit
`;

/** Each gate says when it is open for the cost, not before \`from\`, and what is to be stored when it is entered then. */
const GATES = `
local stored = redis.call('HMGET', bucket, 'algorithm', 'gate', 'level', 'parts', 'part', 'next', 'again', 'paused', 'healed')
local gate, level, parts = 0, nil, ''
if stored[1] == algorithm then gate, level, parts = tonumber(stored[2]), tonumber(stored[3]), stored[4] end
local next_at, again, paused, healed =
  tonumber(stored[6] or 0), tonumber(stored[7] or 0), tonumber(stored[8] or 0), tonumber(stored[9] or 0)
local gates = {}
gates['token-bucket'] = function (from)
  local at = math.max(from, gate)
  local tokens = math.min(burst, (level or burst) + (at - gate) * limit / period)
  if tokens < cost - 1e-9 then
    local missing = math.ceil((cost - tokens) * period / limit)
    at, tokens = at + missing, math.min(burst, tokens + missing * limit / period)
  end
  tokens = tokens - cost
  return at, tokens, '', at + (burst - tokens) * period / limit
end
gates['fixed-window'] = function (from)
  local at = math.max(from, gate)
  local window = math.floor(at / period)
  local count = math.floor(gate / period) == window and level or 0
  if count + cost > limit then
    window, count = window + 1, 0
    at = window * period
  end
  return at, count + cost, '', (window + 1) * period
end
gates['sliding-window'] = function (from)
  local at = math.max(from, gate)
  local last = math.floor(at / part)
  local first, sum, kept = last - ${WINDOW_PARTS}, 0, {}
  local was = tonumber(stored[5] or part)
  for start, count in string.gmatch(parts, '(%d+):(%d+)') do
    -- Of a part of another length, as if all of it had been at its end.
    local index = math.floor((was == part and tonumber(start) or math.min(start + was - 1, gate)) / part)
    if index >= first then
      kept[#kept + 1] = { index, tonumber(count) }
      sum = sum + count
    end
  end
  local gone = 0
  while sum + cost > limit do
    gone = gone + 1
    sum = sum - kept[gone][2]
    last = kept[gone][1] + ${WINDOW_PARTS + 1}
  end
  at = math.max(at, last * part)
  local left = {}
  local mine = cost
  for n = gone + 1, #kept do
    if kept[n][1] == last then
      mine = mine + kept[n][2]
    elseif kept[n][1] >= last - ${WINDOW_PARTS} then
      left[#left + 1] = string.format('%.0f:%d', kept[n][1] * part, kept[n][2])
    end
  end
  left[#left + 1] = string.format('%.0f:%d', last * part, mine)
  return at, 0, table.concat(left, ','), at + part * ${WINDOW_PARTS + 2}
end
local function keep(idle)
  local till = math.max(idle, next_at, again, paused)
  local ttl = math.ceil((till - now) / 1000)
  if ttl > 0 then redis.call('PEXPIRE', bucket, ttl) else redis.call('DEL', bucket) end
end
`;

/** Answers { 1, now, at } for a grant, { 0, now, at, round } for a ticket, with round 0 for none. @internal */
export const TAKE_LIMIT = `${COMMON}${RULE}${GATES}
local max_wait, patience = tonumber(ARGV[7]), tonumber(ARGV[8])
local ticket, round = tonumber(ARGV[9]), tonumber(ARGV[10])
if ticket and ticket > now + patience and ticket >= paused then return { 0, now, ticket, round } end
local open_at, new_level, new_parts, idle = gates[algorithm](math.max(now, paused))
local is_free
if ticket then
  is_free = round > 1 or again <= now + patience
else
  is_free = next_at <= now and again <= now
end
if is_free and open_at <= now + patience then
  redis.call('HSET', bucket, 'algorithm', algorithm, 'gate', open_at, 'level', new_level, 'parts', new_parts, 'part', part)
  keep(idle)
  return { 1, now, open_at }
end
local at = math.max(open_at, again)
if again <= now then healed = 0 end
if not ticket then
  -- What the second round takes of the time is missing to the first: once, whoever comes anew leaves it out.
  local missing = math.max(again - now - healed, 0)
  if next_at > now then at = math.max(at, next_at + missing) end
  healed = healed + missing
end
if max_wait >= 0 and at > now + max_wait then return { 0, now, math.ceil(at), 0 } end
if ticket then
  again = at + step
  round = round + 1
else
  next_at = at + step
  round = 1
end
redis.call('HSET', bucket, 'next', next_at, 'again', again, 'healed', healed)
keep(math.max(idle, at + step))
return { 0, now, math.ceil(at), round }`;

/** @internal */
export const GIVE_BACK_LIMIT = `${COMMON}${RULE}
local ticket, round = tonumber(ARGV[7]), tonumber(ARGV[8])
local field = round > 1 and 'again' or 'next'
local pointer = tonumber(redis.call('HGET', bucket, field) or 0)
if ticket > now and pointer > now then
  redis.call('HSET', bucket, field, math.max(pointer - step, now))
end`;

/** @internal */
export const PAUSE_LIMIT = `${COMMON}
local till = now + ARGV[1] * 1000
if till <= tonumber(redis.call('HGET', bucket, 'paused') or 0) then return end
redis.call('HSET', bucket, 'paused', till)
local ttl = math.ceil((till - now) / 1000)
if redis.call('PTTL', bucket) < ttl then redis.call('PEXPIRE', bucket, ttl) end`;

/** Answers { pausedUntil in ms or 0, change, factor }. @internal */
export const LOOK_AT_LIMIT = `${COMMON}
local paused = tonumber(redis.call('HGET', bucket, 'paused') or 0)
local change, factor = unpack(redis.call('HMGET', rules, 'rule:' .. ARGV[1], 'factor'))
return { paused > now and math.ceil(paused / 1000) or 0, change, factor }`;
