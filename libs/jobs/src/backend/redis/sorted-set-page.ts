/**
 * Lua that walks a page of a sorted set, from `from` to below `to` and after the member `afterId` of the score `afterAt`,
 * and calls `take(id, at)` for each of its members, at most `most` of them.
 *
 * Redis sorts members of one score by their bytes. Lua compares strings by the server's locale, so that `<` would skip
 * some or give them twice.
 *
 * @internal
 */
export const WALK_PAGE = `
local function isBefore(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local function walkPage(key, newest, from, to, afterAt, afterId, most, take)
  local function isOver(id, at)
    if afterAt == '' or tonumber(at) ~= tonumber(afterAt) then return false end
    if newest then return not isBefore(id, afterId) end
    return not isBefore(afterId, id)
  end
  local command, low, high = 'ZRANGEBYSCORE', from, to
  if newest then command, low, high = 'ZREVRANGEBYSCORE', to, from end
  local taken, offset = 0, 0
  repeat
    local members = redis.call(command, key, low, high, 'WITHSCORES', 'LIMIT', offset, most)
    for i = 1, #members, 2 do
      if taken < most and not isOver(members[i], members[i + 1]) then
        take(members[i], members[i + 1])
        taken = taken + 1
      end
    end
    offset = offset + most
  until #members < 2 * most or taken >= most
end`;
