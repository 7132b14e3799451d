import type { Cluster, Redis } from 'ioredis';
import {
  MOST_AHEAD,
  MOST_SEEN,
  type Holding,
  type Line,
  type LineSeen,
  type Lines,
  type TakeOptions,
  type Waiting,
} from '../lines.js';
import { LINE_CLOCK, LINE_FUNCTIONS, LINE_NAMES, lineKeys, lineValues } from './lines-script.js';
import { RedisScript } from './redis-script.js';

const TAKE = new RedisScript(
  'line-take',
  `${LINE_NAMES}${LINE_CLOCK}
if redis.call('EXISTS', holders, waiting) == 0 then return holdAlone(tonumber(ARGV[4])) end
${LINE_FUNCTIONS}
return take(tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6]))`,
);

const RENEW = new RedisScript(
  'line-renew',
  `${LINE_NAMES}
if redis.call('HGET', tokens, id) ~= ARGV[4] then return 0 end
${LINE_CLOCK}${LINE_FUNCTIONS}
redis.call('ZADD', holders, now + ARGV[5], id)
keep(tonumber(ARGV[5]))
return 1`,
);

const FREE = new RedisScript(
  'line-free',
  `${LINE_NAMES}
local isMine = redis.call('HGET', tokens, id) == ARGV[4]
-- Most are given up by the one who has them, alone, while nobody waits.
if isMine and redis.call('EXISTS', waiting) == 0 and redis.call('ZCARD', holders) == 1 then
  redis.call('DEL', holders, tokens)
  return {}
end
${LINE_CLOCK}${LINE_FUNCTIONS}
expire()
if isMine then giveUp() end
return passOn()`,
);

const LEAVE = new RedisScript(
  'line-leave',
  `${LINE_NAMES}${LINE_CLOCK}${LINE_FUNCTIONS}
expire()
stopWaiting()
if ARGV[4] == '1' then giveUp() end
return passOn()`,
);

const IS_CALLED = new RedisScript(
  'line-is-called',
  `${LINE_NAMES}${LINE_CLOCK}${LINE_FUNCTIONS}
expire()
if isOther then note() end
local waits = redis.call('ZSCORE', waiting, id) and not redis.call('ZSCORE', called, id)
return waits and 0 or 1`,
);

/** It must not expire anything: whoever was called and has not come is to be told by those who ask for a place. */
const LOOK = new RedisScript(
  'line-look',
  `${LINE_NAMES}${LINE_CLOCK}
local turn = tonumber(ARGV[4])
local live = '(' .. now
local ahead = redis.call('ZCOUNT', waiting, '-inf', '(' .. ARGV[4])
for _, waiter in ipairs(redis.call('ZRANGEBYSCORE', called, '-inf', now)) do
  if (tonumber(redis.call('ZSCORE', waiting, waiter)) or turn) < turn then ahead = ahead - 1 end
end
local calledUntil = tonumber(redis.call('ZSCORE', called, id) or 0)
return {
  redis.call('ZRANGEBYSCORE', holders, live, '+inf', 'WITHSCORES', 'LIMIT', 0, ${MOST_SEEN}),
  redis.call('ZCOUNT', holders, live, '+inf'), math.min(ahead, ${MOST_AHEAD}), calledUntil > now and 1 or 0,
}`,
);

type Seen = [holders: string[], held: number, ahead: number, isCalled: 0 | 1];

/** What `take` of the script answers. @internal */
export type Taken = [isHolder: 0 | 1, number: number, ahead: number, freeIn: number, wake: string[]];

/** Sorted sets for each line. @internal */
export class RedisLines implements Lines {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly prefix: string,
  ) {}

  async take(line: Line, id: string, { ttl, stand, turn }: TakeOptions): Promise<Holding | Waiting> {
    return asTaken((await this.run(TAKE, line, id, [Math.ceil(ttl), stand ? 1 : 0, turn ?? ''])) as Taken);
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

  async look(line: Line, id: string, turn: number): Promise<LineSeen> {
    const [found, held, ahead, isCalled] = (await this.run(LOOK, line, id, [turn])) as Seen;
    const holders = found.flatMap((holder, n) =>
      n % 2 === 0 ? [{ id: holder, expiresAt: Number(found[n + 1]) }] : [],
    );
    return { holders, held, ahead, isCalled: isCalled === 1 };
  }

  private run(script: RedisScript, line: Line, id: string, rest: (string | number)[]): Promise<unknown> {
    return script.run(this.client, lineKeys(this.prefix, line), [...lineValues(line, id), ...rest]);
  }
}

/** @internal */
export function asTaken([isHolder, number, ahead, freeIn, wake]: Taken): Holding | Waiting {
  if (isHolder === 1) return { kind: 'holds', fencingToken: number, wake };
  return { kind: 'waits', turn: number < 0 ? undefined : number, ahead, freeIn, wake };
}
