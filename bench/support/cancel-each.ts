// Enqueues jobs and cancels one after the other, from a process of its own, with a round trip to the store in between.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { JobsService, type JobHandle } from '../../libs/jobs/src/index.js';
import { serveParent } from './alone.js';
import { sendLong, startCancellableApp } from './cancellable-jobs.js';
import { machineTime } from './clock.js';
import { mail } from './mail-jobs.js';
import { seeded } from './schedule.js';
import type { StoreAddress } from './stores.js';

/** Milliseconds before each cancel and each round trip, so that the ones before are over. */
const GAPS = [3, 7] as const;

export type CancelEachRequest =
  | { readonly step: 'begin'; readonly store: StoreAddress; readonly jobs: number; readonly seed: number }
  | { readonly step: 'cancel' };

export interface CancelEachReport {
  /** When `cancel()` was called, by `n`, as `machineTime` has it. */
  readonly called: readonly number[];
  /** Milliseconds. */
  readonly roundTrips: readonly number[];
}

let gap: () => number;
let handles: readonly JobHandle<unknown>[];
let line: PlainLine;
let stop: () => Promise<void>;

serveParent(async (request: CancelEachRequest): Promise<CancelEachReport | undefined> => {
  if (request.step === 'cancel') return cancelEach();
  const { store, jobs, seed } = request;
  const random = seeded(seed);
  gap = () => GAPS[0] + random() * (GAPS[1] - GAPS[0]);
  const app = await startCancellableApp(store);
  handles = await app
    .get(JobsService)
    .enqueueMany(Array.from({ length: jobs }, (_, n) => ({ task: sendLong, payload: mail(n) })));
  line = await openLine(store);
  stop = () => app.close();
  return undefined;
});

async function cancelEach(): Promise<CancelEachReport> {
  const called: number[] = [];
  const roundTrips: number[] = [];
  for (const handle of handles) {
    await sleep(gap());
    const from = machineTime();
    await line.roundTrip();
    roundTrips.push(machineTime() - from);
    await sleep(gap());
    called.push(machineTime());
    await handle.cancel({ reason: 'the batch was withdrawn' });
  }
  await line.close();
  await stop();
  return { called, roundTrips };
}

/** A connection of a bare client, over which the store is sent the least that it answers. */
interface PlainLine {
  roundTrip(): Promise<unknown>;
  close(): Promise<unknown>;
}

async function openLine({ name, location }: StoreAddress): Promise<PlainLine> {
  if (name === 'redis') {
    const redis = new Redis(location);
    return { roundTrip: () => redis.ping(), close: () => redis.quit() };
  }
  const client = new pg.Client({ connectionString: location });
  await client.connect();
  return { roundTrip: () => client.query('SELECT 1'), close: () => client.end() };
}
