import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import { BASE, Comparison, CONTROL, ROW_PREFIX, type RatePair, type Row } from './support/comparison.js';
import type { Consumption } from './support/consume.js';
import type { Measurement } from './support/meter.js';
import { enqueueNoops } from './support/noop-jobs.js';
import { STORE_NAMES, type Store, type StoreName } from './support/stores.js';

const CONCURRENCIES = [1, 32] as const;
const ENHANCED = ['interceptor', 'schema', 'request-scoped'] as const;
const VARIANTS: Record<StoreName, readonly string[]> = {
  redis: [BASE, CONTROL, 'ours', ...ENHANCED, 'nestjs-bullmq'],
  // What a task costs does not depend on the store, and @nestjs/bullmq is for Redis.
  postgres: [BASE, CONTROL, 'ours', 'interceptor'],
  embedded: [BASE, CONTROL, 'ours'],
};

/** Timed jobs at a concurrency of 1 and above. */
const JOBS: Record<StoreName, readonly [one: number, more: number]> = {
  redis: [5_000, 20_000],
  postgres: [2_000, 4_000],
  embedded: [1_000, 1_000],
};
/** For each timed job. Until some thousand jobs have run, much of the time is the compiler's. */
const WARM_UP = 0.5;

/** How many jobs that do nothing are worked in a second, here, with BullMQ alone, and with `@nestjs/bullmq`. */
export const overhead: Bench = {
  about: 'processing no-op jobs, against BullMQ alone and @nestjs/bullmq',
  backends: STORE_NAMES,
  supports: STORE_NAMES,
  rounds: 5,

  async run({ stores, jobs, ...choice }: BenchRequest): Promise<BenchResult> {
    const rows = stores.flatMap((store) => CONCURRENCIES.map((concurrency) => rowOf(store, concurrency, jobs)));
    const comparison = await Comparison.of(rows, choice);
    return {
      table: comparison.table(),
      notes: notesFor(stores),
      ratios: comparison.ratios(Object.fromEntries(stores.flatMap(wantedOf))),
      rates: comparison.absolutes(),
    };
  },
};

function rowOf(store: Store, concurrency: number, jobs: number | undefined): Row {
  return {
    name: rowName(store.name, concurrency),
    variants: VARIANTS[store.name],
    measure: (variant) => measure(store, concurrency, variant, jobs ?? JOBS[store.name][concurrency === 1 ? 0 : 1]),
  };
}

function rowName(store: StoreName, concurrency: number): string {
  return `${ROW_PREFIX[store]}c${concurrency}`;
}

/** All variants consume the same jobs, enqueued in the same way: only who works them differs. */
async function measure(store: Store, concurrency: number, variant: string, jobs: number): Promise<Measurement> {
  const warmUp = Math.ceil(jobs * WARM_UP);
  await store.clear();
  await enqueueNoops(store, warmUp + jobs);
  const consumption: Consumption = {
    worker: variant === CONTROL ? BASE : (variant as Consumption['worker']),
    store: { name: store.name, location: store.location },
    concurrency,
    warmUp,
    jobs,
  };
  return runAlone<Consumption, Measurement>(new URL('./support/consume.js', import.meta.url), consumption);
}

function wantedOf({ name: store }: Store): [name: string, pair: RatePair][] {
  const ofRow = (concurrency: number): [string, RatePair][] => {
    const row = rowName(store, concurrency);
    return [
      [row, { row, of: 'ours' }],
      ...ENHANCED.map((of): [string, RatePair] => [`${row}_${of.replace('-', '_')}`, { row, of }]),
      [`${row}_vs_nestjs_bullmq`, { row, of: 'ours', to: 'nestjs-bullmq' }],
      [`${row}_aa`, { row, of: CONTROL }],
    ];
  };
  const busiest = rowName(store, Math.max(...CONCURRENCIES));
  return [...CONCURRENCIES.flatMap(ofRow), [`${ROW_PREFIX[store]}aa`, { row: busiest, of: CONTROL }]];
}

function notesFor(stores: readonly Store[]): string[] {
  if (!stores.some(({ name }) => name === 'embedded')) return [];
  return [
    'embedded: BullMQ alone has no PGlite, so raw is BullMQ on the PGlite pool of this library. CPU includes PGlite.',
  ];
}
