// Starts a group whose members are made while they are read, in a process of its own, and says how much memory that took.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { group, JobsService } from '../../libs/jobs/src/index.js';
import { serveParent } from './alone.js';
import { add, startCanvasApp } from './canvas-app.js';
import type { StoreAddress } from './stores.js';

export interface StreamRequest {
  readonly store: StoreAddress;
  readonly warmUp: number;
  readonly members: number;
}

/** Megabytes. */
export interface StreamReport {
  /** Before. */
  readonly idle: number;
  /** The most that was seen. */
  readonly most: number;
}

const MEGABYTE = 2 ** 20;
/** Members between two looks. */
const LOOK = 200;

serveParent(async ({ store, warmUp, members }: StreamRequest): Promise<StreamReport> => {
  const app = await startCanvasApp(store, { concurrency: 1, workers: false, arrivals: { tell: () => {} } });
  const jobs = app.get(JobsService);
  let most = 0;
  const look = (): number => {
    const rss = process.memoryUsage.rss() / MEGABYTE;
    most = Math.max(most, rss);
    return rss;
  };
  const stream = function* (count: number) {
    for (let n = 0; n < count; n++) {
      if (n % LOOK === 0) look();
      yield add.s({ x: n, y: 0 });
    }
  };
  await jobs.start(group(stream(warmUp)));
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const idle = (most = look());
  await jobs.start(group(stream(members)));
  look();
  await app.close();
  return { idle, most };
});
