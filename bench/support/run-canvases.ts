// Runs canvases, or flows of BullMQ alone, in a process of its own, and says how fast that went.
import { serveParent } from './alone.js';
import { openOurs } from './canvas-app.js';
import { jobsOf, resultOf, type CanvasRunner, type Shape } from './canvas-shapes.js';
import { cpuSince, machineTime } from './clock.js';
import type { Measurement } from './meter.js';
import { openRaw } from './raw-flows.js';
import type { StoreAddress } from './stores.js';

/** So many canvases of so many members or steps. */
export interface Canvases {
  readonly count: number;
  readonly size: number;
}

export type CanvasRequest =
  | {
      /** Starts and warms up. */
      readonly step: 'begin';
      readonly by: 'raw' | 'ours';
      readonly store: StoreAddress;
      readonly shape: Shape;
      readonly concurrency: number;
      readonly warmUp: Canvases;
      readonly timed: Canvases;
    }
  | { readonly step: 'measure' };

type Beginning = Extract<CanvasRequest, { step: 'begin' }>;

let begun: Beginning;
let runner: CanvasRunner;

serveParent(async (request: CanvasRequest): Promise<Measurement | undefined> => {
  if (request.step === 'begin') {
    begun = request;
    const { by, store, shape, concurrency, warmUp } = request;
    runner = await (by === 'ours' ? openOurs : openRaw)(store, shape, concurrency);
    await runAll(warmUp);
    return undefined;
  }
  const { shape, timed } = begun;
  const [from, cpuAtStart] = [machineTime(), process.cpuUsage()];
  await runAll(timed);
  const seconds = (machineTime() - from) / 1_000;
  const jobs = timed.count * jobsOf(shape, timed.size);
  const cpu = cpuSince(cpuAtStart) / jobs;
  await runner.close();
  return { rate: jobs / seconds, cpu };
});

async function runAll({ count, size }: Canvases): Promise<void> {
  const expected = resultOf(begun.shape, size);
  for (let n = 0; n < count; n++) {
    const result = await runner.run(size);
    if (result !== expected) throw new Error(`a ${begun.shape} of ${size} gave ${result} in the place of ${expected}`);
  }
}
