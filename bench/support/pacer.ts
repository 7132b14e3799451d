// A thread that says when arrivals are due: the timers of Node are a millisecond coarse, and may not wait for the
// event loop that they load.
import { parentPort, workerData } from 'node:worker_threads';
import { machineTime } from './clock.js';

export interface Pace {
  /** When the first may come, as {@link machineTime} has it. */
  readonly start: number;
  /** Milliseconds after `start`, ascending. */
  readonly arrivals: readonly number[];
}

const { start, arrivals } = workerData as Pace;
const never = new Int32Array(new SharedArrayBuffer(4));
for (let n = 0; n < arrivals.length;) {
  const wait = start + arrivals[n]! - machineTime();
  if (wait > 0) Atomics.wait(never, 0, 0, wait);
  const first = n;
  const passed = machineTime() - start;
  while (n < arrivals.length && arrivals[n]! <= passed) n++;
  // From `first` up to `n`.
  if (n > first) parentPort!.postMessage([first, n]);
}
