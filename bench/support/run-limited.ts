// Works jobs under a limit in a process of its own, and says when the limit let them through and when they began.
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { serveParent } from './alone.js';
import { machineTime } from './clock.js';
import { startLimitedApp } from './limited-jobs.js';
import type { StoreAddress } from './stores.js';

export type RunLimitedRequest =
  | { readonly step: 'begin'; readonly store: StoreAddress; readonly concurrency: number }
  | { readonly step: 'count' }
  | { readonly step: 'finish' };

export interface LimitedRecord {
  /** Of the store's clock, ms. */
  readonly grants: readonly number[];
  /** As {@link machineTime} has it. */
  readonly starts: readonly number[];
}

const grants: number[] = [];
const starts: number[] = [];
let stop: () => Promise<void>;

serveParent(async (request: RunLimitedRequest): Promise<number | LimitedRecord | undefined> => {
  if (request.step === 'count') return starts.length;
  if (request.step === 'finish') {
    await stop();
    return { grants, starts };
  }
  const { store, concurrency } = request;
  const app = await startLimitedApp(store, {
    starts: { add: () => starts.push(machineTime()) },
    concurrency,
    workers: true,
  });
  const { limits } = app.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
  const take = limits.take.bind(limits);
  limits.take = async (...args) => {
    const taken = await take(...args);
    if (taken.kind === 'granted') grants.push(taken.at);
    return taken;
  };
  stop = () => app.close();
  return undefined;
});
