import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import { BASE, Comparison, CONTROL, ROW_PREFIX, type RatePair, type Row } from './support/comparison.js';
import type { Measurement } from './support/meter.js';
import { STORE_NAMES, type Store } from './support/stores.js';
import type { WakeRequest } from './support/wake-parked.js';

/** Of the long line. */
const LONG = 'long-line';
const PARKED = { [BASE]: 100, [CONTROL]: 100, [LONG]: 10_000 };
const WAKES = 500;
const WARM_UP = 300;

/** What it costs that nothing runs twice at once: so far, waking the next one of a line. */
export const once: Bench = {
  about: 'waking the next of 100 parked jobs and of 10,000',
  backends: ['redis', 'postgres'],
  supports: STORE_NAMES,
  rounds: 5,

  async run({ stores, jobs, ...choice }: BenchRequest): Promise<BenchResult> {
    const comparison = await Comparison.of(
      stores.map((store) => wakeRow(store, jobs ?? WAKES)),
      choice,
    );
    return {
      table: comparison.table(),
      notes: ['wake: jobs are wake-ups; raw wakes the next of 100 parked jobs, long-line of 10,000.'],
      ratios: comparison.ratios(Object.fromEntries(stores.flatMap(wantedOf))),
      rates: comparison.absolutes(),
    };
  },
};

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
  return [
    // The rate of the short line to that of the long one is the cost in the long one to that in the short one.
    [`${prefix}wake_10000_vs_100`, { row, of: BASE, to: LONG }],
    [`${prefix}wake_aa`, { row, of: BASE, to: CONTROL }],
    [`${prefix}aa`, { row, of: CONTROL }],
  ];
}
