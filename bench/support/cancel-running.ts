import { startAlone } from './alone.js';
import type { CancelEachReport, CancelEachRequest } from './cancel-each.js';
import { median, quantile } from './rounds.js';
import type { AbortTimes, RunUntilCancelledRequest } from './run-until-cancelled.js';
import type { Store, StoreAddress } from './stores.js';

/** Cancelled before those that count, of as many as run at once. */
const WARM_UP = 0.25;

/** Milliseconds. */
export interface CancelLatency {
  /** From the call of `cancel()` in one process until `job.signal` is aborted in another one. */
  readonly p50: number;
  readonly p95: number;
  /** The median of a PING or `SELECT 1` from the process that cancels. */
  readonly roundTrip: number;
}

/** All jobs run in one process at once, and another process cancels one after the other. */
export async function measureCancelLatency(store: Store, jobs: number, seed: number): Promise<CancelLatency> {
  await store.clear();
  const address: StoreAddress = { name: store.name, location: store.location };
  const warmUp = Math.ceil(jobs * WARM_UP);
  const all = warmUp + jobs;
  const [workerModule, cancellerModule] = ['./run-until-cancelled.js', './cancel-each.js'].map(
    (path) => new URL(path, import.meta.url),
  );
  const worker = startAlone<RunUntilCancelledRequest, AbortTimes | undefined>(workerModule!);
  const canceller = startAlone<CancelEachRequest, CancelEachReport | undefined>(cancellerModule!);
  // Not both at once: the first one that uses a Postgres makes the tables.
  await worker.ask({ step: 'begin', store: address, jobs: all });
  await canceller.ask({ step: 'begin', store: address, jobs: all, seed });
  await worker.ask({ step: 'running' });
  const { called, roundTrips } = (await canceller.ask({ step: 'cancel' }))!;
  const aborted = (await worker.ask({ step: 'finish' }))!;
  await Promise.all([worker.end(), canceller.end()]);
  const took = called.map((from, n) => aborted[n]! - from).slice(warmUp);
  return { p50: quantile(took, 0.5), p95: quantile(took, 0.95), roundTrip: median(roundTrips.slice(warmUp)) };
}
