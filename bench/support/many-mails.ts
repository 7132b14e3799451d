import { Redis } from 'ioredis';
import { sampleMail } from './mail-jobs.js';
import { QUEUE } from './noop-jobs.js';
import { redisPrefix } from './raw-engine.js';
import type { StoreAddress } from './stores.js';

/** A script blocks Redis, and for too long it is taken for a hung one. */
const BATCH = 10_000;
const PRIORITIZED = `${redisPrefix()}:${QUEUE}:prioritized`;

/** Where BullMQ has the jobs that wait and have a priority, which ours all have. */
const COPY_JOB = `
local waiting, job, id, first, last = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local score = redis.call('ZSCORE', waiting, id)
for n = first, last do
  redis.call('COPY', job, job .. '-' .. n)
  redis.call('ZADD', waiting, score + n, id .. '-' .. n)
end`;

/** Fills an empty Redis with so many copies of one job that enqueueing them would take longer than working them. */
export async function fillWithMails(store: StoreAddress, count: number): Promise<void> {
  const { id } = await sampleMail(store);
  const redis = new Redis(store.location);
  for (let first = 1; first < count; first += BATCH) {
    const last = Math.min(first + BATCH, count) - 1;
    await redis.eval(COPY_JOB, 2, PRIORITIZED, `${redisPrefix()}:${QUEUE}:${id}`, id, first, last);
  }
  redis.disconnect();
}

export function mailsLeft(redis: Redis): Promise<number> {
  return redis.zcard(PRIORITIZED);
}
