import { setTimeout as sleep } from 'node:timers/promises';
import { startAlone, type Alone } from './alone.js';
import type { CancelByTagRequest } from './cancel-by-tag.js';
import { pingDuring } from './foreign-ping.js';
import type { Measurement } from './meter.js';
import { median } from './rounds.js';
import type { Store, StoreAddress } from './stores.js';
import { fillWithTagged } from './tagged-mails.js';

/** For each timed job. Until some thousand jobs have been cancelled, much of the time is the compiler's. */
const WARM_UP = 0.5;
/** Milliseconds for which a store is pinged that has nothing else to do. */
const REST = 500;

type Side = 'raw' | 'ours';

/** How fast the jobs of a tag are cancelled, or as many added. Both begin with the same jobs in the store. */
export async function measureByTag(store: Store, side: Side, jobs: number): Promise<Measurement> {
  const alone = await begin(store, side, jobs);
  const measurement = await alone.ask({ step: 'measure' });
  await alone.end();
  return measurement!;
}

/** Milliseconds: the longest ping of a round, in the middle of the rounds. */
export type LongestPings = Readonly<Record<Side | 'rest', number>>;

/** How long Redis lets others wait meanwhile, apart from the rates because the pings take from those. */
export async function measurePings(redis: Store, rounds: number, jobs: number): Promise<LongestPings> {
  const longest: Record<Side | 'rest', number[]> = { raw: [], ours: [], rest: [] };
  for (let round = 0; round < rounds; round++) {
    for (const side of ['raw', 'ours'] as const) {
      const alone = await begin(redis, side, jobs);
      longest[side].push(Math.max(...(await pingDuring(redis.location, () => alone.ask({ step: 'measure' })))));
      await alone.end();
    }
    longest.rest.push(Math.max(...(await pingDuring(redis.location, () => sleep(REST)))));
    const figures = Object.entries(longest).map(([during, times]) => `${during} ${times.at(-1)!.toFixed(2)} ms`);
    console.error(`round ${round + 1}/${rounds}  longest ping  ${figures.join('  ')}`);
  }
  const inTheMiddle = Object.entries(longest).map(([during, times]) => [during, Number(median(times).toFixed(2))]);
  return Object.fromEntries(inTheMiddle) as LongestPings;
}

async function begin(
  store: Store,
  by: Side,
  jobs: number,
): Promise<Alone<CancelByTagRequest, Measurement | undefined>> {
  const address: StoreAddress = { name: store.name, location: store.location };
  const counts = { warmUp: Math.ceil(jobs * WARM_UP), jobs };
  await store.clear();
  const like = await fillWithTagged(address, counts);
  const alone = startAlone<CancelByTagRequest, Measurement | undefined>(new URL('./cancel-by-tag.js', import.meta.url));
  await alone.ask({ step: 'begin', by, store: address, counts, like });
  return alone;
}
