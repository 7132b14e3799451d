import { isDeepStrictEqual } from 'node:util';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import { BASE, Comparison, CONTROL, ROW_PREFIX, type RatePair, type Row } from './support/comparison.js';
import { fillWithDeadLetters, fillWithRetries } from './support/fill-with-failing.js';
import type { Measurement } from './support/meter.js';
import type { RedriveReport, RedriveRequest } from './support/redrive.js';
import type { RetryRequest } from './support/retry-once.js';
import { STORE_NAMES, type Store, type StoreName } from './support/stores.js';

const VARIANTS = [BASE, CONTROL, 'ours'] as const;
const CONCURRENCIES = [32, 8] as const;
/** The one of the ratios whose names say none. */
const USUAL = CONCURRENCIES[0];

/** Timed jobs. */
const RETRIED: Record<StoreName, number> = { redis: 10_000, postgres: 4_000, embedded: 500 };
const REDRIVEN: Record<StoreName, number> = { redis: 6_000, postgres: 3_000, embedded: 500 };
/** For each timed job. Until some thousand jobs have run, much of the time is the compiler's. */
const RETRY_WARM_UP = 0.5;
const REDRIVE_WARM_UP = 1;

/** What jobs cost that fail once, and what it costs to have failed ones done again. */
export const failing: Bench = {
  about: 'jobs that fail once and then succeed, and redriving dead letters against addBulk',
  backends: ['redis', 'postgres'],
  supports: STORE_NAMES,
  rounds: 5,

  async run({ stores, jobs, ...choice }: BenchRequest): Promise<BenchResult> {
    const rows = stores.flatMap((store) => [
      ...CONCURRENCIES.map((concurrency) => retryRow(store, concurrency, jobs)),
      redriveRow(store, jobs),
    ]);
    const comparison = await Comparison.of(rows, choice);
    return {
      table: comparison.table(),
      notes: [
        'retry: a job counts when it has failed once and succeeded. Its ratios in the JSON are of times, raw is 1.',
        'redrive: raw is addBulk of as many jobs like those that ours makes, and that was checked.',
      ],
      ratios: comparison.ratios(Object.fromEntries(stores.flatMap(wantedOf))),
      rates: comparison.absolutes(),
    };
  },
};

function retryRow(store: Store, concurrency: number, wished: number | undefined): Row {
  return {
    name: retryRowName(store.name, concurrency),
    variants: concurrency === USUAL ? [...VARIANTS, 'logged'] : VARIANTS,
    measure: (variant) => {
      const worker = variant === CONTROL ? BASE : (variant as RetryRequest['worker']);
      return measureRetries(store, concurrency, worker, wished ?? RETRIED[store.name]);
    },
  };
}

function redriveRow(store: Store, wished: number | undefined): Row {
  return {
    name: `${ROW_PREFIX[store.name]}redrive`,
    variants: VARIANTS,
    measure: (variant) => measureRedrive(store, variant === 'ours' ? 'ours' : 'raw', wished ?? REDRIVEN[store.name]),
  };
}

function retryRowName(store: StoreName, concurrency: number): string {
  return `${ROW_PREFIX[store]}retry_c${concurrency}`;
}

async function measureRetries(
  store: Store,
  concurrency: number,
  worker: RetryRequest['worker'],
  jobs: number,
): Promise<Measurement> {
  const address = { name: store.name, location: store.location };
  const counts = { warmUp: Math.ceil(jobs * RETRY_WARM_UP), jobs };
  await store.clear();
  await fillWithRetries(address, worker === 'raw' ? 'raw' : 'ours', counts);
  const request: RetryRequest = { worker, store: address, concurrency, ...counts };
  return runAlone<RetryRequest, Measurement>(new URL('./support/retry-once.js', import.meta.url), request);
}

/** Both begin with the same dead letters in the store. */
async function measureRedrive(store: Store, by: 'raw' | 'ours', jobs: number): Promise<Measurement> {
  const address = { name: store.name, location: store.location };
  const counts = { warmUp: Math.ceil(jobs * REDRIVE_WARM_UP), jobs };
  await store.clear();
  const like = await fillWithDeadLetters(address, counts);
  const module = new URL('./support/redrive.js', import.meta.url);
  const request: RedriveRequest = { by, store: address, ...counts, like };
  const { measurement, stored } = await runAlone<RedriveRequest, RedriveReport>(module, request);
  if (isDeepStrictEqual(stored, like)) return measurement;
  throw new Error(`${by} stored a job like\n${JSON.stringify(stored)}\nwhere ours stores\n${JSON.stringify(like)}`);
}

function wantedOf({ name: store }: Store): [name: string, pair: RatePair][] {
  const prefix = ROW_PREFIX[store];
  const retries = CONCURRENCIES.flatMap((concurrency): [string, RatePair][] => {
    const row = retryRowName(store, concurrency);
    const name = `${prefix}retry_once${concurrency === USUAL ? '' : `_c${concurrency}`}`;
    // The rate of raw to that of another one is the time of that one to the time of raw.
    return [
      [name, { row, of: BASE, to: 'ours' }],
      [`${name}_logged`, { row, of: BASE, to: 'logged' }],
      [`${name}_aa`, { row, of: BASE, to: CONTROL }],
    ];
  });
  const row = `${prefix}redrive`;
  return [
    ...retries,
    [row, { row, of: 'ours' }],
    [`${row}_aa`, { row, of: CONTROL }],
    [`${prefix}aa`, { row: retryRowName(store, USUAL), of: CONTROL }],
  ];
}
