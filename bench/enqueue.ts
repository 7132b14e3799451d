import { isDeepStrictEqual } from 'node:util';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import { BASE, Comparison, CONTROL, ROW_PREFIX, type RatePair, type Row } from './support/comparison.js';
import { sampleMail, type MailJob } from './support/mail-jobs.js';
import type { Measurement } from './support/meter.js';
import type { Production, ProductionMode, ProductionReport } from './support/produce.js';
import { STORE_NAMES, type Store, type StoreName } from './support/stores.js';

/** `bare` is `raw` without id, priority and the other options that ours gives a job. */
const VARIANTS = [BASE, CONTROL, 'bare', 'ours'] as const;

interface Mode {
  readonly mode: ProductionMode;
  /** Timed jobs. */
  readonly jobs: Record<StoreName, number>;
}

const MODES: readonly Mode[] = [
  { mode: 'sequential', jobs: { redis: 6_000, postgres: 2_000, embedded: 1_000 } },
  { mode: 'inflight100', jobs: { redis: 20_000, postgres: 6_000, embedded: 2_000 } },
  { mode: 'bulk1000', jobs: { redis: 40_000, postgres: 20_000, embedded: 4_000 } },
];
/** For each timed job. */
const WARM_UP = 0.5;
/** Bulks are whole, and so are warm-ups. */
const JOBS_UNIT = 2_000;

/** How many jobs one producer enqueues in a second. */
export const enqueue: Bench = {
  about: 'enqueueing one by one, 100 in flight and 1,000 at once, against queue.add and addBulk',
  backends: ['redis'],
  supports: STORE_NAMES,
  rounds: 8,

  async run({ stores, jobs, ...choice }: BenchRequest): Promise<BenchResult> {
    const rows = stores.flatMap((store) => MODES.map((mode) => rowOf(store, mode, jobs)));
    const comparison = await Comparison.of(rows, choice);
    return {
      table: comparison.table(),
      notes: ['raw and ours store the same job but for its id, and that was checked; bare has no id and no options.'],
      ratios: comparison.ratios(Object.fromEntries(stores.flatMap(wantedOf))),
      rates: comparison.absolutes(),
    };
  },
};

function rowOf(store: Store, { mode, jobs: usual }: Mode, jobs: number | undefined): Row {
  return {
    name: ROW_PREFIX[store.name] + mode,
    variants: VARIANTS,
    measure: (variant) => measure(store, mode, variant, jobs ?? usual[store.name]),
  };
}

async function measure(store: Store, mode: ProductionMode, variant: string, wished: number): Promise<Measurement> {
  const jobs = mode === 'bulk1000' ? Math.ceil(wished / JOBS_UNIT) * JOBS_UNIT : wished;
  await store.clear();
  const address = { name: store.name, location: store.location };
  const like = await sampleMail(address);
  const production: Production = {
    producer: variant === CONTROL ? BASE : (variant as Production['producer']),
    store: address,
    mode,
    warmUp: Math.ceil(jobs * WARM_UP),
    jobs,
    like,
  };
  const module = new URL('./support/produce.js', import.meta.url);
  const { measurement, stored } = await runAlone<Production, ProductionReport>(module, production);
  if (variant !== 'bare') assertAlike(stored, like, variant);
  return measurement;
}

/** What differs in size or in options would make the comparison worthless. */
function assertAlike(stored: MailJob, like: MailJob, variant: string): void {
  if (isDeepStrictEqual({ ...stored, id: '' }, { ...like, id: '' }) && stored.id.length === like.id.length) return;
  const [seen, expected] = [stored, like].map((job) => JSON.stringify(job));
  throw new Error(`${variant} stored a job like\n${seen}\nwhere ours stores\n${expected}`);
}

function wantedOf({ name: store }: Store): [name: string, pair: RatePair][] {
  const ofRow = ({ mode }: Mode): [string, RatePair][] => {
    const row = ROW_PREFIX[store] + mode;
    return [
      [row, { row, of: 'ours' }],
      [`${row}_vs_bare`, { row, of: 'ours', to: 'bare' }],
      [`${row}_aa`, { row, of: CONTROL }],
    ];
  };
  const control: RatePair = { row: `${ROW_PREFIX[store]}inflight100`, of: CONTROL };
  return [...MODES.flatMap(ofRow), [`${ROW_PREFIX[store]}aa`, control]];
}
