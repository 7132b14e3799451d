import { setTimeout as sleep } from 'node:timers/promises';
import { startAlone, type Alone } from './alone.js';
import { startCanvasApp } from './canvas-app.js';
import type { Shape } from './canvas-shapes.js';
import { pingDuring } from './foreign-ping.js';
import type { Measurement } from './meter.js';
import { median } from './rounds.js';
import type { Canvases, CanvasRequest } from './run-canvases.js';
import type { Store } from './stores.js';

const CONCURRENCY = 32;
/** Milliseconds for which a store is pinged that has nothing else to do. */
const REST = 500;

export type Side = 'raw' | 'ours';

export interface Task {
  readonly shape: Shape;
  readonly warmUp: Canvases;
  readonly timed: Canvases;
}

export async function measureCanvases(store: Store, by: Side, task: Task): Promise<Measurement> {
  const alone = await begin(store, by, task);
  const measurement = await alone.ask({ step: 'measure' });
  await alone.end();
  return measurement!;
}

/** Milliseconds: the longest ping of a round, in the middle of the rounds. */
export type LongestPings = Readonly<Record<Side | 'rest', number>>;

/** How long Redis lets others wait meanwhile, apart from the rates because the pings take from those. */
export async function measurePings(redis: Store, rounds: number, task: Task): Promise<LongestPings> {
  const longest: Record<Side | 'rest', number[]> = { raw: [], ours: [], rest: [] };
  for (let round = 0; round < rounds; round++) {
    for (const by of ['raw', 'ours'] as const) {
      const alone = await begin(redis, by, task);
      longest[by].push(Math.max(...(await pingDuring(redis.location, () => alone.ask({ step: 'measure' })))));
      await alone.end();
    }
    longest.rest.push(Math.max(...(await pingDuring(redis.location, () => sleep(REST)))));
    const figures = Object.entries(longest).map(([during, times]) => `${during} ${times.at(-1)!.toFixed(2)} ms`);
    console.error(`round ${round + 1}/${rounds}  longest ping  ${figures.join('  ')}`);
  }
  const inTheMiddle = Object.entries(longest).map(([during, times]) => [during, Number(median(times).toFixed(2))]);
  return Object.fromEntries(inTheMiddle) as LongestPings;
}

async function begin(store: Store, by: Side, task: Task): Promise<Alone<CanvasRequest, Measurement | undefined>> {
  await store.clear();
  const { name, location } = store;
  // BullMQ alone has nobody who makes the tables.
  await (
    await startCanvasApp({ name, location }, { concurrency: 1, workers: false, arrivals: { tell: () => {} } })
  ).close();
  const alone = startAlone<CanvasRequest, Measurement | undefined>(new URL('./run-canvases.js', import.meta.url));
  await alone.ask({ step: 'begin', by, store: { name, location }, concurrency: CONCURRENCY, ...task });
  return alone;
}
