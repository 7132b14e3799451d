import type { Cluster, Redis } from 'ioredis';
import type { Kept, KeptResult, KeptResults, Mismatch } from '../kept-results.js';
import type { Holding, Line, TakeOptions, Waiting } from '../lines.js';
import { LINE_CLOCK, LINE_FUNCTIONS, LINE_IN_INDEX, LINE_NAMES, lineKeys, lineValues } from './lines-script.js';
import { asTaken, type Taken } from './redis-lines.js';
import { RedisScript } from './redis-script.js';

/** The fingerprint of a claim that nobody has any more is forgotten after so long (ms): it says nothing by then. */
const FORGOTTEN_AFTER = 24 * 60 * 60 * 1_000;

const CLAIM = new RedisScript(
  'claim',
  `${LINE_NAMES}${LINE_CLOCK}
local record, fingerprint = KEYS[3], ARGV[7]
local function claimed()
  redis.call('HSET', record, 'fingerprint', fingerprint, 'by', id)
  redis.call('PEXPIRE', record, ${FORGOTTEN_AFTER})
end
local known, by, value = unpack(redis.call('HMGET', record, 'fingerprint', 'by', 'value'))
if not value and redis.call('EXISTS', holders, waiting) == 0 then
  claimed()
  return holdAlone(tonumber(ARGV[4]))
end
${LINE_FUNCTIONS}
if known then expire() end
local isClaimed = known and not value and redis.call('ZCARD', holders) > 0 and not redis.call('ZSCORE', holders, id)
local differs = known and known ~= fingerprint
if value or (isClaimed and differs) then
  stopWaiting()
  local wake = passOn()
  -- Whoever kept the result may have died before it woke them.
  if value then
    for _, waiter in ipairs(redis.call('ZRANGE', base .. 'owed', 0, -1)) do
      if waiter ~= id then wake[#wake + 1] = waiter end
    end
    redis.call('DEL', base .. 'owed')
  end
  return { differs and 3 or 2, by, differs and '' or value, wake }
end
local taken = take(tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6]))
if taken[1] == 1 then claimed() end
return taken`,
);

const KEEP = new RedisScript(
  'keep-result',
  `${LINE_NAMES}
local record = KEYS[3]
if redis.call('HGET', tokens, id) ~= ARGV[4] then
  ${LINE_CLOCK}${LINE_FUNCTIONS}
  expire()
  local keeper, value = unpack(redis.call('HMGET', record, 'token', 'value'))
  -- Its answer was lost, and it is told again.
  if value and keeper == ARGV[4] then return redis.call('ZRANGE', base .. 'owed', 0, -1) end
  if value or redis.call('ZCARD', holders) > 0 then return false end
end
redis.call('HSET', record, 'fingerprint', ARGV[5], 'by', id, 'value', ARGV[6], 'token', ARGV[4])
redis.call('PEXPIRE', record, ARGV[7])
local waiters = redis.call('ZRANGE', waiting, 0, -1)
if #waiters > 0 then
  redis.call('RENAME', waiting, base .. 'owed')
  redis.call('PEXPIRE', base .. 'owed', ${FORGOTTEN_AFTER})
  ${LINE_IN_INDEX}
  local index, name = inIndex()
  redis.call('ZREM', index, name)
end
redis.call('DEL', holders, tokens, called)
return waiters`,
);

type Claimed = Taken | [isDone: 2 | 3, by: string, value: string, wake: string[]];

/** A hash for each key, beside the line. @internal */
export class RedisKeptResults implements KeptResults {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly prefix: string,
  ) {}

  async claim(
    line: Line,
    id: string,
    { ttl, stand, turn, fingerprint }: TakeOptions & { readonly fingerprint: string },
  ): Promise<Holding | Waiting | Kept | Mismatch> {
    const values = [Math.ceil(ttl), stand ? 1 : 0, turn ?? '', fingerprint];
    const claimed = (await this.run(CLAIM, line, id, values)) as Claimed;
    if (!isDone(claimed)) return asTaken(claimed);
    const [answer, by, value, wake] = claimed;
    return answer === 2 ? { kind: 'kept', by, value, wake } : { kind: 'mismatch', by, wake };
  }

  async keep(
    line: Line,
    id: string,
    { fencingToken, fingerprint, value, keepFor }: KeptResult,
  ): Promise<string[] | undefined> {
    const values = [fencingToken, fingerprint, value, Math.ceil(keepFor)];
    return ((await this.run(KEEP, line, id, values)) as string[] | null) ?? undefined;
  }

  private run(script: RedisScript, line: Line, id: string, rest: (string | number)[]): Promise<unknown> {
    const keys = [...lineKeys(this.prefix, line), `${this.prefix}:kept:${line.name}`];
    return script.run(this.client, keys, [...lineValues(line, id), ...rest]);
  }
}

function isDone(claimed: Claimed): claimed is Exclude<Claimed, Taken> {
  return claimed[0] > 1;
}
