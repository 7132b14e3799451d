// Sees when jobs are finished, as everybody sees it who listens to BullMQ's events.
import { serveParent } from './alone.js';
import { machineTime } from './clock.js';
import { QUEUE } from './noop-jobs.js';
import { openRawEngine, type RawEvents } from './raw-engine.js';
import type { StoreAddress } from './stores.js';

/** Milliseconds without any job finished, after which those that are missed are given up. */
const PATIENCE = 15_000;

export type Observation =
  | { readonly step: 'begin'; readonly store: StoreAddress; readonly jobs: number }
  /** Waits until all are finished. */
  | { readonly step: 'finish' };

/** By the id of the job, as {@link machineTime} has it. */
export type FinishTimes = Readonly<Record<string, number>>;

const times: Record<string, number> = {};
let finished: Promise<void>;

serveParent(async (observation: Observation): Promise<FinishTimes | undefined> => {
  if (observation.step === 'finish') {
    await finished;
    return times;
  }
  const { store, jobs } = observation;
  const engine = await openRawEngine(store);
  const events = engine.events(QUEUE);
  await events.waitUntilReady();
  finished = collect(events, jobs);
  return undefined;
});

function collect(events: RawEvents, jobs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let count = 0;
    const giveUp = () => reject(new Error(`of ${jobs} jobs, ${count} are finished, and no other one follows`));
    const patience = setTimeout(giveUp, PATIENCE);
    events.on('completed', ({ jobId }) => {
      times[jobId] = machineTime();
      patience.refresh();
      if (++count < jobs) return;
      clearTimeout(patience);
      resolve();
    });
  });
}
