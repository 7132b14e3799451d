import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import { BASE, Comparison, CONTROL, ROW_PREFIX, type RatePair, type Row } from './support/comparison.js';
import { runBucket, type BucketRun } from './support/bucket-rate.js';
import type { Consumption } from './support/consume.js';
import { BURST, RATE } from './support/limited-jobs.js';
import type { Measurement } from './support/meter.js';

import { enqueueNoops } from './support/noop-jobs.js';
import { median } from './support/rounds.js';
import { STORE_NAMES, type Store, type StoreName } from './support/stores.js';
import type { WakeRequest } from './support/wake-parked.js';

/** Of the long line. */
const LONG = 'long-line';
const PARKED = { [BASE]: 100, [CONTROL]: 100, [LONG]: 10_000 };
const BUCKET_JOBS = 5_000;
const WAKES = 500;
const WARM_UP = 300;

/** Each job has a key, an account and a user of its own: nobody waits for anybody. */
const GUARDED = ['idempotent', 'locked', 'limited', 'all-three'] as const;
const CONCURRENCY = 32;
const JOBS: Record<StoreName, number> = { redis: 10_000, postgres: 3_000, embedded: 1_000 };
/** For each timed job. */
const WARMED_BY = 0.5;

/** What it costs that nothing runs twice or too often, and to wake the next one of a line; and how a limit is kept. */
export const once: Bench = {
  about: 'idempotent, locked and limited tasks against BullMQ alone, waking parked jobs, and the rate of a limit',
  backends: ['redis', 'postgres'],
  supports: STORE_NAMES,
  rounds: 5,

  async run({ stores, jobs, ...choice }: BenchRequest): Promise<BenchResult> {
    const rows = stores.flatMap((store) => [guardedRow(store, jobs), wakeRow(store, jobs ?? WAKES)]);
    const comparison = await Comparison.of(rows, choice);
    const buckets = choice.rows ? [] : await runBuckets(stores, choice.rounds);
    return {
      table: comparison.table(),
      notes: [
        'wake: jobs are wake-ups; raw wakes the next of 100 parked jobs, long-line of 10,000.',
        ...buckets.map(noteOf),
      ],
      ratios: {
        ...comparison.ratios(Object.fromEntries(stores.flatMap(wantedOf))),
        ...Object.fromEntries(buckets.map(({ name, rate }) => [name, rate])),
      },
      rates: comparison.absolutes(),
    };
  },
};

/** Of several runs: the median of the rates, and the worst of what they went over. */
interface Buckets extends BucketRun {
  readonly name: string;
}

async function runBuckets(stores: readonly Store[], rounds: number): Promise<Buckets[]> {
  const all: Buckets[] = [];
  for (const store of stores) {
    const runs: BucketRun[] = [];
    for (let round = 0; round < rounds; round++) {
      runs.push(await runBucket(store, BUCKET_JOBS));
      console.error(`round ${round + 1}/${rounds}  bucket on ${store.name}  ${JSON.stringify(runs.at(-1))}`);
    }
    all.push({
      name: `${ROW_PREFIX[store.name]}bucket_rate`,
      rate: Number(median(runs.map(({ rate }) => rate)).toFixed(3)),
      over: Math.max(...runs.map(({ over }) => over)),
      overAtStarts: Math.max(...runs.map(({ overAtStarts }) => overAtStarts)),
    });
  }
  return all;
}

function noteOf({ name, over, overAtStarts }: Buckets): string {
  return (
    `${name}: ${RATE}/s and ${BURST} at once, asked of 3 processes. In the worst window of the store's record ${over} jobs ` +
    `over that (0 or less: never), of the moments at which the tasks began ${overAtStarts}.`
  );
}

/** All variants consume the same jobs: only what their task is decorated with differs. */
function guardedRow(store: Store, asked: number | undefined): Row {
  const jobs = asked ?? JOBS[store.name];
  const warmUp = Math.ceil(jobs * WARMED_BY);
  return {
    name: `${ROW_PREFIX[store.name]}guarded`,
    variants: [BASE, CONTROL, ...GUARDED],
    async measure(variant) {
      await store.clear();
      await enqueueNoops(store, warmUp + jobs);
      const worker = variant === CONTROL ? BASE : (variant as Consumption['worker']);
      const address = { name: store.name, location: store.location };
      const consumption: Consumption = { worker, store: address, concurrency: CONCURRENCY, warmUp, jobs };
      return runAlone<Consumption, Measurement>(new URL('./support/consume.js', import.meta.url), consumption);
    },
  };
}

function wakeRow(store: Store, wakes: number): Row {
  return {
    name: `${ROW_PREFIX[store.name]}wake`,
    variants: Object.keys(PARKED),
    async measure(variant) {
      await store.clear();
      const parked = PARKED[variant as keyof typeof PARKED]!;
      const address = { name: store.name, location: store.location };
      const request: WakeRequest = { store: address, parked, warmUp: WARM_UP, wakes };
      return runAlone<WakeRequest, Measurement>(new URL('./support/wake-parked.js', import.meta.url), request);
    },
  };
}

function wantedOf({ name: store }: Store): [name: string, pair: RatePair][] {
  const prefix = ROW_PREFIX[store];
  const row = `${prefix}wake`;
  const guarded = `${prefix}guarded`;
  return [
    ...GUARDED.map((of): [string, RatePair] => [`${prefix}${of.replace('-', '_')}`, { row: guarded, of }]),
    [`${prefix}guarded_aa`, { row: guarded, of: CONTROL }],
    // The rate of the short line to that of the long one is the cost in the long one to that in the short one.
    [`${prefix}wake_10000_vs_100`, { row, of: BASE, to: LONG }],
    [`${prefix}wake_aa`, { row, of: BASE, to: CONTROL }],
    [`${prefix}aa`, { row: guarded, of: CONTROL }],
  ];
}
