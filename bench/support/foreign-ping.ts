import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { machineTime } from './clock.js';

/** Milliseconds between an answer and the next ping. */
const PAUSE = 1;

/** How long Redis lets somebody wait who has nothing to do with `work`: the milliseconds of each ping that it answered meanwhile. */
export async function pingDuring(url: string, work: () => Promise<unknown>): Promise<number[]> {
  const redis = new Redis(url);
  // The first one connects.
  await redis.ping();
  const times: number[] = [];
  let isOver = false;
  const pinging = (async () => {
    while (!isOver) {
      const from = machineTime();
      await redis.ping();
      times.push(machineTime() - from);
      await sleep(PAUSE);
    }
  })();
  try {
    await work();
  } finally {
    isOver = true;
    await pinging;
    redis.disconnect();
  }
  return times;
}
