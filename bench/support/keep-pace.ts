import { Worker } from 'node:worker_threads';
import type { Pace } from './pacer.js';

/** Calls what arrives when it is due, whether the ones before are done or not. Resolves when all are. */
export async function keepPace(pace: Pace, arrive: (n: number) => Promise<void>): Promise<void> {
  const arrived: Promise<void>[] = [];
  const pacer = new Worker(new URL('./pacer.js', import.meta.url), { workerData: pace });
  pacer.on('message', ([first, end]: [number, number]) => {
    for (let n = first; n < end; n++) arrived.push(arrive(n));
  });
  await new Promise<void>((resolve, reject) => {
    pacer.once('error', reject);
    pacer.once('exit', () => resolve());
  });
  await Promise.all(arrived);
}
