// Runs jobs in a process of its own until they are cancelled, and says when each was asked to stop.
import { serveParent } from './alone.js';
import { machineTime } from './clock.js';
import { startCancellableApp } from './cancellable-jobs.js';
import type { StoreAddress } from './stores.js';

/** Milliseconds without any job begun, or asked to stop, after which those that are missed are given up. */
const PATIENCE = 60_000;

export type RunUntilCancelledRequest =
  /** `jobs`: as many as run at once. */
  | { readonly step: 'begin'; readonly store: StoreAddress; readonly jobs: number }
  /** Waits until all of them run. */
  | { readonly step: 'running' }
  /** Waits until all of them were asked to stop. */
  | { readonly step: 'finish' };

/** By `n`, as {@link machineTime} has it. */
export type AbortTimes = readonly number[];

const aborted: number[] = [];
let allRun: Promise<void>;
let allAborted: Promise<void>;
let stop: () => Promise<void>;

serveParent(async (request: RunUntilCancelledRequest): Promise<AbortTimes | undefined> => {
  if (request.step === 'running') {
    await allRun;
    return undefined;
  }
  if (request.step === 'finish') {
    await allAborted;
    await stop();
    return aborted;
  }
  const { store, jobs } = request;
  const [begins, aborts] = [countOf(jobs, 'have begun'), countOf(jobs, 'were asked to stop')];
  [allRun, allAborted] = [begins.complete, aborts.complete];
  const watch = {
    begun: () => begins.one(),
    aborted: (n: number) => {
      aborted[n] = machineTime();
      aborts.one();
    },
  };
  const app = await startCancellableApp(store, { concurrency: jobs, watch });
  stop = () => app.close();
  return undefined;
});

interface Count {
  /** Rejects when some are missed and none has come for a while. */
  readonly complete: Promise<void>;
  one(): void;
}

function countOf(jobs: number, what: string): Count {
  let count = 0;
  let patience: NodeJS.Timeout;
  let resolve: () => void;
  const complete = new Promise<void>((fulfil, reject) => {
    resolve = fulfil;
    patience = setTimeout(
      () => reject(new Error(`of ${jobs} jobs, ${count} ${what}, and no other one follows`)),
      PATIENCE,
    );
  });
  return {
    complete,
    one() {
      patience.refresh();
      if (++count < jobs) return;
      clearTimeout(patience);
      resolve();
    },
  };
}
