import { setTimeout as pause } from 'node:timers/promises';
import { startAlone } from './alone.js';
import { BURST, enqueueLimited, RATE } from './limited-jobs.js';
import type { LimitedRecord, RunLimitedRequest } from './run-limited.js';
import type { Store } from './stores.js';

const PROCESSES = 3;
const CONCURRENCY = 50;
/** Milliseconds without another job, after which the rest is given up. */
const PATIENCE = 30_000;

/** How a limit was kept by several processes at once. */
export interface BucketRun {
  /** The rate at which jobs began, once the burst was used up, of the one asked for. */
  readonly rate: number;
  /** By how many jobs the record of the store is over what the limit allows, in the worst of all windows; 0 or less: never. */
  readonly over: number;
  /** The same of the moments at which the tasks began, a little after they were let through. */
  readonly overAtStarts: number;
}

/** Works `jobs` jobs under one limit with three processes. */
export async function runBucket(store: Store, jobs: number): Promise<BucketRun> {
  await store.clear();
  const address = { name: store.name, location: store.location };
  await enqueueLimited(address, jobs);
  const module = new URL('./run-limited.js', import.meta.url);
  const workers = Array.from({ length: PROCESSES }, () =>
    startAlone<RunLimitedRequest, number | LimitedRecord | undefined>(module),
  );
  await Promise.all(workers.map((worker) => worker.ask({ step: 'begin', store: address, concurrency: CONCURRENCY })));
  let [done, since] = [0, performance.now()];
  while (done < jobs) {
    await pause(50);
    const counts = (await Promise.all(workers.map((worker) => worker.ask({ step: 'count' })))) as number[];
    const now = counts.reduce((sum, count) => sum + count, 0);
    if (now > done) since = performance.now();
    else if (performance.now() - since > PATIENCE) throw new Error(`${jobs - now} of ${jobs} limited jobs never began`);
    done = now;
  }
  const records = (await Promise.all(workers.map((worker) => worker.ask({ step: 'finish' })))) as LimitedRecord[];
  await Promise.all(workers.map((worker) => worker.end()));
  const sorted = (times: readonly number[]): number[] => [...times].sort((a, b) => a - b);
  const starts = sorted(records.flatMap((record) => record.starts));
  const took = starts.at(-1)! - starts[BURST - 1]!;
  return {
    rate: ((starts.length - BURST) / took) * (1_000 / RATE),
    over: mostOver(sorted(records.flatMap((record) => record.grants))),
    overAtStarts: mostOver(starts),
  };
}

/** For each end of a window, the beginning counts at which most room was left before it. */
function mostOver(times: readonly number[]): number {
  let [worst, least] = [-Infinity, Infinity];
  for (const [n, time] of times.entries()) {
    const allowed = (time * RATE) / 1_000;
    least = Math.min(least, n - allowed);
    worst = Math.max(worst, n + 1 - allowed - least - BURST);
  }
  return Number(worst.toFixed(3));
}
