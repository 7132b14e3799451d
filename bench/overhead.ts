import Table from 'cli-table3';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import type { Consumption } from './support/consume.js';
import type { Measurement } from './support/meter.js';
import { enqueueNoops } from './support/noop-jobs.js';
import { median, medianRatio, rotated } from './support/rounds.js';
import type { Store, StoreName } from './support/stores.js';

const CONCURRENCIES = [1, 8, 32] as const;
/** `raw-again` is `raw`: what they differ in is the noise. */
const VARIANTS = ['raw', 'raw-again', 'ours'] as const;
type Variant = (typeof VARIANTS)[number];

const JOBS: Record<StoreName, number> = { redis: 10_000, postgres: 4_000, embedded: 1_000 };
/** For each timed job. Until some thousand jobs have run, much of the time is the compiler's. */
const WARM_UP = 0.5;
const RATIO_PREFIX: Record<StoreName, string> = { redis: '', postgres: 'pg_', embedded: 'embedded_' };

interface Row {
  readonly store: Store;
  readonly concurrency: number;
  readonly name: string;
  readonly measured: Record<Variant, Measurement[]>;
}

/** How many jobs that do nothing are worked in a second, here and with BullMQ alone. */
export const overhead: Bench = {
  about: 'processing no-op jobs, against BullMQ alone on the same store',

  async run({ stores, rounds, jobs }: BenchRequest): Promise<BenchResult> {
    const rows = stores.flatMap((store) => CONCURRENCIES.map((concurrency) => rowOf(store, concurrency)));
    for (let round = 0; round < rounds; round++) {
      for (const row of rows) {
        for (const variant of rotated(VARIANTS, round)) {
          const measurement = await measure(row, variant, jobs ?? JOBS[row.store.name]);
          row.measured[variant].push(measurement);
          console.error(`round ${round + 1}/${rounds}  ${row.name}  ${variant}  ${figure(measurement.rate)} jobs/s`);
        }
      }
    }
    return { table: tableOf(rows), notes: notesFor(stores), ratios: ratiosOf(rows), rates: ratesOf(rows) };
  },
};

function rowOf(store: Store, concurrency: number): Row {
  const name = `${RATIO_PREFIX[store.name]}c${concurrency}`;
  return { store, concurrency, name, measured: { raw: [], 'raw-again': [], ours: [] } };
}

/** All variants consume the same jobs, enqueued in the same way: only who works them differs. */
async function measure({ store, concurrency }: Row, variant: Variant, jobs: number): Promise<Measurement> {
  const warmUp = Math.ceil(jobs * WARM_UP);
  await store.clear();
  await enqueueNoops(store, warmUp + jobs);
  const consumption: Consumption = {
    worker: variant === 'ours' ? 'ours' : 'raw',
    store: { name: store.name, location: store.location },
    concurrency,
    warmUp,
    jobs,
  };
  return runAlone<Consumption, Measurement>(new URL('./support/consume.js', import.meta.url), consumption);
}

function ratioToRaw({ measured }: Row, variant: Variant): number {
  const [numerators, denominators] = [measured[variant], measured.raw].map((all) => all.map(({ rate }) => rate));
  return medianRatio(numerators!, denominators!);
}

function ratiosOf(rows: readonly Row[]): Record<string, number> {
  const ratios = rows.map((row) => [row.name, ratioToRaw(row, 'ours')] as const);
  const controls = rows
    .filter(({ concurrency }) => concurrency === Math.max(...CONCURRENCIES))
    .map((row) => [`${RATIO_PREFIX[row.store.name]}aa`, ratioToRaw(row, 'raw-again')] as const);
  return Object.fromEntries([...ratios, ...controls].map(([name, ratio]) => [name, Number(ratio.toFixed(3))]));
}

function ratesOf(rows: readonly Row[]): Record<string, Record<string, number>> {
  const ratesOfRow = ({ measured }: Row) =>
    VARIANTS.map((variant) => [variant, Math.round(median(measured[variant].map(({ rate }) => rate)))] as const);
  return Object.fromEntries(rows.map((row) => [row.name, Object.fromEntries(ratesOfRow(row))]));
}

function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: ['backend', 'concurrency', 'variant', 'jobs/s', 'slowest', 'fastest', 'of raw', 'CPU µs/job'],
    colAligns: ['left', 'right', 'left', 'right', 'right', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const row of rows) {
    for (const variant of VARIANTS) {
      const rates = row.measured[variant].map(({ rate }) => rate);
      table.push([
        row.store.name,
        row.concurrency,
        variant,
        ...[median(rates), Math.min(...rates), Math.max(...rates)].map(figure),
        ratioToRaw(row, variant).toFixed(3),
        figure(median(row.measured[variant].map(({ cpu }) => cpu))),
      ]);
    }
  }
  return table.toString();
}

function notesFor(stores: readonly Store[]): string[] {
  if (!stores.some(({ name }) => name === 'embedded')) return [];
  return [
    'embedded: BullMQ alone has no PGlite, so raw is BullMQ on the PGlite pool of this library. CPU includes PGlite.',
  ];
}

function figure(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
