import type { Cluster, Redis } from 'ioredis';
import {
  firstVersion,
  type ScheduleIndex,
  type SchedulePage,
  type ScheduleStore,
  type StoredSchedule,
} from '../schedule-store.js';
import { RedisScript } from './redis-script.js';

/** Every name has the same score, so that the set is in the order of the names. The version stands before the body. */
const WRITE = new RedisScript(
  'schedule-write',
  `
local old = redis.call('HGET', KEYS[1], ARGV[1])
local version = old and tonumber(string.match(old, '^%d+')) or 0
if version ~= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], (old and version + 1 or ARGV[6]) .. ':' .. ARGV[3])
if version == 0 then redis.call('ZADD', KEYS[2], 0, ARGV[1]) end
if ARGV[4] == '' then redis.call('ZREM', KEYS[3], ARGV[1]) else redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1]) end
local owner = redis.call('HGET', KEYS[4], ARGV[1])
if owner and owner ~= ARGV[5] then redis.call('ZREM', KEYS[5], owner .. '\\0' .. ARGV[1]) end
if ARGV[5] == '' then
  if owner then redis.call('HDEL', KEYS[4], ARGV[1]) end
elseif owner ~= ARGV[5] then
  redis.call('HSET', KEYS[4], ARGV[1], ARGV[5])
  redis.call('ZADD', KEYS[5], 0, ARGV[5] .. '\\0' .. ARGV[1])
end
return 1`,
);

const REMOVE = new RedisScript(
  'schedule-remove',
  `
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old or (ARGV[2] ~= '' and string.match(old, '^%d+') ~= ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
local owner = redis.call('HGET', KEYS[4], ARGV[1])
if owner then
  redis.call('HDEL', KEYS[4], ARGV[1])
  redis.call('ZREM', KEYS[5], owner .. '\\0' .. ARGV[1])
end
return 1`,
);

const LIST = new RedisScript(
  'schedule-list',
  `
local entries = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
if #entries == 0 then return {} end
local names = {}
for n, entry in ipairs(entries) do names[n] = string.sub(entry, tonumber(ARGV[4]) + 1) end
local values = redis.call('HMGET', KEYS[1], unpack(names))
local found = {}
for n, name in ipairs(names) do
  if values[n] then
    found[#found + 1] = name
    found[#found + 1] = values[n]
  end
end
return found`,
);

/** A hash of them all, beside sorted sets of their names, of their next fires, and of their owners. @internal */
export class RedisScheduleStore implements ScheduleStore {
  private readonly keys: readonly string[];

  constructor(
    private readonly client: Redis | Cluster,
    prefix: string,
  ) {
    this.keys = ['all', 'names', 'next', 'owner', 'owned'].map((part) => `${prefix}:_schedules:${part}`);
  }

  async read(name: string): Promise<StoredSchedule | undefined> {
    const value = await this.client.hget(this.keys[0]!, name);
    return value === null ? undefined : parsed(name, value);
  }

  async write(name: string, version: number, body: string, { next, owner }: ScheduleIndex): Promise<boolean> {
    return (
      (await WRITE.run(this.client, this.keys, [name, version, body, next ?? '', owner ?? '', firstVersion()])) === 1
    );
  }

  async remove(name: string, version?: number): Promise<boolean> {
    return (await REMOVE.run(this.client, this.keys, [name, version ?? ''])) === 1;
  }

  async list({
    cursor,
    limit,
    owner,
  }: {
    cursor?: string | undefined;
    limit: number;
    owner?: string | undefined;
  }): Promise<SchedulePage> {
    const [all, names, , , owned] = this.keys as [string, string, string, string, string];
    const prefix = owner === undefined ? '' : `${owner}\0`;
    const from = cursor === undefined ? (prefix === '' ? '-' : `[${prefix}`) : `(${prefix}${cursor}`;
    // One more than any name of the owner can be: no name begins with a byte that UTF-8 does not have.
    const to = prefix === '' ? '+' : `(${owner}\u0001`;
    const values = [from, to, limit, Buffer.byteLength(prefix)];
    const found = (await LIST.run(this.client, [all, prefix === '' ? names : owned], values)) as string[];
    const schedules: StoredSchedule[] = [];
    for (let n = 0; n < found.length; n += 2) schedules.push(parsed(found[n]!, found[n + 1]!));
    return { schedules, cursor: schedules.length < limit ? undefined : schedules.at(-1)!.name };
  }

  overdue(before: number, limit: number): Promise<string[]> {
    return this.client.zrangebyscore(this.keys[2]!, '-inf', `(${before}`, 'LIMIT', 0, limit);
  }
}

function parsed(name: string, value: string): StoredSchedule {
  const at = value.indexOf(':');
  return { name, version: Number(value.slice(0, at)), body: value.slice(at + 1) };
}
