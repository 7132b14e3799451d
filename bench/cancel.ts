import Table from 'cli-table3';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { measureByTag, measurePings, type LongestPings } from './support/by-tag-run.js';
import { measureCancelLatency, type CancelLatency } from './support/cancel-running.js';
import { assertKnown, BASE, Comparison, CONTROL, ROW_PREFIX, type RatePair, type Row } from './support/comparison.js';
import { median } from './support/rounds.js';
import { STORE_NAMES, type Store, type StoreName } from './support/stores.js';

const VARIANTS = [BASE, CONTROL, 'ours'] as const;

/** Timed jobs. */
const TAGGED: Record<StoreName, number> = { redis: 10_000, postgres: 4_000, embedded: 500 };
/** Jobs that run at once, and are cancelled one after the other. */
const RUNNING = 200;

/** How fast the jobs of a tag are cancelled, and how soon a running job learns of it. */
export const cancel: Bench = {
  about: 'cancelling all jobs of a tag against addBulk, and from cancel() to the abort in another process',
  backends: ['redis', 'postgres'],
  supports: STORE_NAMES,
  rounds: 5,

  async run({ stores, jobs, rounds, rows, variants }: BenchRequest): Promise<BenchResult> {
    // Only one process at a time has an embedded store.
    const shared = stores.filter(({ name }) => name !== 'embedded');
    assertKnown('rows', rows, new Set([...stores.map(byTag), ...shared.map(running)]));
    const isChosen = (row: string): boolean => rows?.includes(row) ?? true;
    const tagged = stores.filter((store) => isChosen(byTag(store)));
    const comparison = await Comparison.of(
      tagged.map((store) => tagRow(store, jobs)),
      { rounds, rows: undefined, variants: tagged.length > 0 ? variants : undefined },
    );
    const redis = tagged.find(({ name }) => name === 'redis');
    const pings = redis && (await measurePings(redis, rounds, jobs ?? TAGGED.redis));
    const latencies = new Map<string, readonly CancelLatency[]>();
    for (const store of shared.filter((one) => isChosen(running(one)))) {
      latencies.set(running(store), await latencySeries(store, rounds));
    }
    return {
      table: [
        ...(tagged.length > 0 ? [comparison.table()] : []),
        ...(latencies.size > 0 ? [tableOf(latencies)] : []),
      ].join('\n'),
      notes: [
        'by_tag: raw is addBulk of as many jobs with the data and the options of those that ours cancels.',
        'running: milliseconds from cancel() in one process to the abort of job.signal in another one.',
        ...(pings ? [inWords(pings)] : []),
      ],
      ratios: { ...comparison.ratios(Object.fromEntries(tagged.flatMap(wantedOf))), ...ratiosOf(latencies) },
      rates: { ...comparison.absolutes(), ...(pings && { by_tag_longest_ping_ms: pings }), ...ratesOf(latencies) },
    };
  },
};

function byTag(store: Store): string {
  return `${ROW_PREFIX[store.name]}by_tag`;
}

function running(store: Store): string {
  return `${ROW_PREFIX[store.name]}running`;
}

function tagRow(store: Store, wished: number | undefined): Row {
  return {
    name: byTag(store),
    variants: VARIANTS,
    measure: (variant) => measureByTag(store, variant === 'ours' ? 'ours' : 'raw', wished ?? TAGGED[store.name]),
  };
}

function wantedOf(store: Store): [name: string, pair: RatePair][] {
  const row = byTag(store);
  return [
    [row, { row, of: 'ours' }],
    [`${row}_aa`, { row, of: CONTROL }],
    [`${ROW_PREFIX[store.name]}aa`, { row, of: CONTROL }],
  ];
}

async function latencySeries(store: Store, rounds: number): Promise<CancelLatency[]> {
  const series: CancelLatency[] = [];
  for (let round = 0; round < rounds; round++) {
    const measured = await measureCancelLatency(store, RUNNING, round);
    series.push(measured);
    const figures = Object.entries(measured).map(([name, time]) => `${name} ${(time as number).toFixed(2)}`);
    console.error(`round ${round + 1}/${rounds}  ${running(store)}  ${figures.join('  ')} ms`);
  }
  return series;
}

type Latencies = ReadonlyMap<string, readonly CancelLatency[]>;

function ratiosOf(latencies: Latencies): Record<string, number> {
  const ratios = [...latencies].flatMap(([row, series]) =>
    (['p50', 'p95'] as const).map((quantile): [string, number] => [
      `${row}_${quantile}_roundtrips`,
      roundTripsOf(series, quantile),
    ]),
  );
  return Object.fromEntries(ratios);
}

function roundTripsOf(series: readonly CancelLatency[], quantile: 'p50' | 'p95'): number {
  return Number(median(series.map((one) => one[quantile] / one.roundTrip)).toFixed(3));
}

function ratesOf(latencies: Latencies): Record<string, Record<string, number>> {
  const rates = [...latencies].map(([row, series]) => {
    const of = (key: keyof CancelLatency) => Number(median(series.map((one) => one[key])).toFixed(3));
    return [`${row}_ms`, { p50: of('p50'), p95: of('p95'), round_trip: of('roundTrip') }] as const;
  });
  return Object.fromEntries(rates);
}

function inWords({ ours, raw, rest }: LongestPings): string {
  const [during, beside, alone] = [ours, raw, rest].map((time) => `${time.toFixed(1)} ms`);
  return `The longest PING of somebody else took ${during} during ours, ${beside} during raw, ${alone} at rest.`;
}

function tableOf(latencies: Latencies): string {
  const table = new Table({
    head: ['row', 'p50 ms', 'p95 ms', 'largest p95', 'round trip ms', 'p50 in round trips', 'p95 in round trips'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  const rates = ratesOf(latencies);
  for (const [row, series] of latencies) {
    const { p50, p95, round_trip: roundTrip } = rates[`${row}_ms`]!;
    table.push([
      row,
      ...[p50!, p95!, Math.max(...series.map((one) => one.p95)), roundTrip!].map((time) => time.toFixed(2)),
      ...(['p50', 'p95'] as const).map((quantile) => roundTripsOf(series, quantile).toFixed(1)),
    ]);
  }
  return table.toString();
}
