import type { Cluster, Redis } from 'ioredis';
import { readLimitAnswer, toMicroseconds } from '../limit-answer.js';
import type {
  Bucket,
  Granted,
  LimitChange,
  LimitChanges,
  Limited,
  LimitRule,
  LimitSeen,
  Limits,
  TakeLimit,
  Ticket,
} from '../limits.js';
import { GIVE_BACK_LIMIT, LOOK_AT_LIMIT, PAUSE_LIMIT, TAKE_LIMIT } from './limit-scripts.js';
import { RedisScript } from './redis-script.js';

const RULE = 'rule:';
const FACTOR = 'factor';
const TAKE = new RedisScript('takeLimit', TAKE_LIMIT);
const GIVE_BACK = new RedisScript('giveBackLimit', GIVE_BACK_LIMIT);
const PAUSE = new RedisScript('pauseLimit', PAUSE_LIMIT);
const LOOK = new RedisScript('lookAtLimit', LOOK_AT_LIMIT);

type Seen = [pausedUntil: number, change: string | null, factor: string | null];
type Taken = [isGranted: 0 | 1, now: number, at: number, round: number | undefined];

/** A hash for each bucket, which expires, and one for what was changed of the rules, which does not. @internal */
export class RedisLimits implements Limits {
  private readonly rules: string;

  constructor(
    private readonly client: Redis | Cluster,
    private readonly prefix: string,
  ) {
    this.rules = `${prefix}:limits`;
  }

  async take(bucket: Bucket, rule: LimitRule, options: TakeLimit): Promise<Granted | Limited> {
    const { cost, maxWait, patience = 0, ticket } = options;
    const taken = await this.run(TAKE, bucket, [
      ...ruleArguments(bucket, rule, cost),
      maxWait === Infinity ? -1 : toMicroseconds(maxWait),
      toMicroseconds(patience),
      ...(ticket ? ticketArguments(ticket) : ['', '']),
    ]);
    const [isGranted, now, at, round = 0] = taken as Taken;
    return readLimitAnswer({ isGranted: isGranted === 1, now, at, round });
  }

  async giveBack(bucket: Bucket, rule: LimitRule, cost: number, ticket: Ticket): Promise<void> {
    const rest = [...ruleArguments(bucket, rule, cost), ...ticketArguments(ticket)];
    await this.run(GIVE_BACK, bucket, rest);
  }

  async pause(bucket: Bucket, duration: number): Promise<void> {
    await this.run(PAUSE, bucket, [Math.ceil(duration)]);
  }

  async change(name: string, change: LimitChange | undefined): Promise<void> {
    if (change) await this.client.hset(this.rules, RULE + name, JSON.stringify(change));
    else await this.client.hdel(this.rules, RULE + name);
  }

  async scale(factor: number): Promise<void> {
    await this.client.hset(this.rules, FACTOR, factor);
  }

  async changes(): Promise<LimitChanges> {
    const { [FACTOR]: factor = '1', ...rules } = await this.client.hgetall(this.rules);
    const changes = Object.entries(rules).map(
      ([field, json]) => [field.slice(RULE.length), JSON.parse(json) as LimitChange] as const,
    );
    return { changes: new Map(changes), factor: Number(factor) };
  }

  async look(bucket: Bucket): Promise<LimitSeen> {
    const [pausedUntil, change, factor] = (await this.run(LOOK, bucket, [bucket.name])) as Seen;
    return {
      pausedUntil: pausedUntil > 0 ? pausedUntil : undefined,
      change: change === null ? undefined : (JSON.parse(change) as LimitChange),
      factor: Number(factor ?? 1),
    };
  }

  private run(script: RedisScript, { name, key }: Bucket, rest: (string | number)[]): Promise<unknown> {
    // Names and keys may hold any character.
    const bucket = `${this.prefix}:limit:${name.length}:${name}:${key}`;
    return script.run(this.client, [bucket, this.rules], rest);
  }
}

function ruleArguments({ name }: Bucket, rule: LimitRule, cost: number): (string | number)[] {
  return [name, rule.limit, rule.period, rule.burst, rule.algorithm, cost];
}

function ticketArguments({ at, round }: Ticket): number[] {
  return [toMicroseconds(at), round];
}
