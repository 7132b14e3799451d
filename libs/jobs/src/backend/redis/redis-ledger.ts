import type { Cluster, Redis } from 'ioredis';
import type { Ledger, LedgerRecord, LedgerValue } from '../ledger.js';

/** A record that never expires is listed after every one that does. */
const NEVER = '+inf';

const PUT = `
local existing = redis.call('GET', KEYS[1])
if ARGV[4] == 'absent' and existing then return existing end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('ZADD', KEYS[2], '${NEVER}', ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[1])
end
return false`;

const LIST = `
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000) - 1)
local found = {}
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local value = redis.call('GET', ARGV[1] .. key)
  if value then
    found[#found + 1] = key
    found[#found + 1] = value
  end
end
return found`;

const DELETE = `
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])`;

/**
 * A record is a string with Redis's own expiry; a sorted set per collection, by expiry, lists the keys. All keys share
 * the namespace's hash tag, so that a Lua script may touch them in a cluster.
 *
 * @internal
 */
export class RedisLedger implements Ledger {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly prefix: string,
  ) {}

  async put(collection: string, key: string, value: LedgerValue, ttl?: number): Promise<void> {
    await this.write(collection, key, value, ttl, 'always');
  }

  async putIfAbsent(
    collection: string,
    key: string,
    value: LedgerValue,
    ttl?: number,
  ): Promise<LedgerRecord | undefined> {
    const existing = await this.write(collection, key, value, ttl, 'absent');
    return existing === null ? undefined : { key, value: parse(existing) };
  }

  async get(collection: string, key: string): Promise<LedgerRecord | undefined> {
    const json = await this.client.get(this.recordKey(collection, key));
    return json === null ? undefined : { key, value: parse(json) };
  }

  async list(collection: string): Promise<LedgerRecord[]> {
    const found = (await this.client.eval(
      LIST,
      1,
      this.indexKey(collection),
      this.recordKey(collection, ''),
    )) as string[];
    const records: LedgerRecord[] = [];
    for (let i = 0; i < found.length; i += 2) records.push({ key: found[i]!, value: parse(found[i + 1]!) });
    return records.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async delete(collection: string, key: string): Promise<boolean> {
    const deleted = await this.client.eval(DELETE, 2, this.recordKey(collection, key), this.indexKey(collection), key);
    return deleted === 1;
  }

  private async write(
    collection: string,
    key: string,
    value: LedgerValue,
    ttl: number | undefined,
    when: 'always' | 'absent',
  ): Promise<string | null> {
    return (await this.client.eval(
      PUT,
      2,
      this.recordKey(collection, key),
      this.indexKey(collection),
      key,
      JSON.stringify(value),
      ttl === undefined ? '' : Math.ceil(ttl),
      when,
    )) as string | null;
  }

  private recordKey(collection: string, key: string): string {
    return `${this.prefix}:ledger:${collection}:${key}`;
  }

  private indexKey(collection: string): string {
    return `${this.prefix}:ledger-index:${collection}`;
  }
}

function parse(json: string): LedgerValue {
  return JSON.parse(json) as LedgerValue;
}
