import Table from 'cli-table3';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { assertKnown, ROW_PREFIX } from './support/comparison.js';
import { CHURNED, CLIENTS, measureChurn, measureLive, type ChurnReport, type LiveReport } from './support/live-run.js';
import { median, medianRatio, rotated } from './support/rounds.js';
import { STORE_NAMES, type Store } from './support/stores.js';

const VARIANTS = ['none', 'none-again', 'clients'] as const;
type Variant = (typeof VARIANTS)[number];

const FIGURES = {
  p50: ({ p50 }: LiveReport) => p50,
  p99: ({ p99 }: LiveReport) => p99,
  cpu: ({ cpu }: LiveReport) => cpu,
} as const;
type Figure = keyof typeof FIGURES;

interface Measured {
  readonly store: Store;
  readonly live: Record<Variant, LiveReport[]>;
  readonly churn: ChurnReport[];
}

/** What it costs a process that clients follow jobs by server-sent events. */
export const live: Bench = {
  about: `enqueue latency, CPU and memory of a process with ${CLIENTS} clients of server-sent events, against none`,
  backends: ['redis'],
  supports: STORE_NAMES,
  rounds: 5,

  async run({ stores, jobs, rounds, rows }: BenchRequest): Promise<BenchResult> {
    assertKnown('rows', rows, new Set(stores.flatMap((store) => [sse(store), churned(store)])));
    const isChosen = (row: string): boolean => rows?.includes(row) ?? true;
    const all = stores.map((store): Measured => ({
      store,
      live: { none: [], 'none-again': [], clients: [] },
      churn: [],
    }));
    for (let round = 0; round < rounds; round++) {
      for (const { store, live: series, churn } of all) {
        for (const variant of isChosen(sse(store)) ? rotated(VARIANTS, round) : []) {
          const report = await measureLive(store, { clients: variant === 'clients', jobs, seed: round });
          series[variant].push(report);
          console.error(`round ${round + 1}/${rounds}  ${sse(store)}  ${variant}  ${liveInWords(report)}`);
        }
        if (!isChosen(churned(store))) continue;
        churn.push(await measureChurn(store, round));
        console.error(`round ${round + 1}/${rounds}  ${churned(store)}  ${churnInWords(churn.at(-1)!)}`);
      }
    }
    return {
      table: [liveTable(all), churnTable(all)].filter((table) => table !== '').join('\n'),
      notes: [
        'Milliseconds from the moment when an enqueue is due; CPU of the process that enqueues and serves.',
        `${CLIENTS} clients, each of a job of its own. messages: server-sent events that they got.`,
      ],
      ratios: Object.fromEntries(all.flatMap(ratiosOf)),
      rates: Object.fromEntries(all.flatMap(ratesOf)),
    };
  },
};

function sse(store: Store): string {
  return `${ROW_PREFIX[store.name]}sse_${CLIENTS}`;
}

function churned(store: Store): string {
  return `${ROW_PREFIX[store.name]}sse_churn`;
}

function ratio({ live: series }: Measured, of: Variant, figure: Figure): number {
  const [numerators, denominators] = [series[of], series.none].map((reports) => reports.map(FIGURES[figure]));
  return rounded(medianRatio(numerators!, denominators!));
}

/** The memory after many times to that after few. */
function growth({ churn }: Measured, of: keyof ChurnReport['before']): number {
  return rounded(
    medianRatio(
      churn.map(({ after }) => after[of]),
      churn.map(({ before }) => before[of]),
    ),
  );
}

function ratiosOf(measured: Measured): [string, number][] {
  const { store, live: series, churn } = measured;
  const [row, other] = [sse(store), churned(store)];
  const ratios: [string, number][] = [];
  if (series.clients.length > 0) {
    ratios.push(
      [row, ratio(measured, 'clients', 'p50')],
      [`${row}_p99`, ratio(measured, 'clients', 'p99')],
      [`${row}_cpu`, ratio(measured, 'clients', 'cpu')],
      [`${row}_aa`, ratio(measured, 'none-again', 'p50')],
      [`${row}_aa_p99`, ratio(measured, 'none-again', 'p99')],
      [`${row}_aa_cpu`, ratio(measured, 'none-again', 'cpu')],
      [`${ROW_PREFIX[store.name]}aa`, ratio(measured, 'none-again', 'p50')],
    );
  }
  if (churn.length > 0) {
    const [rss, heap] = [growth(measured, 'rss'), growth(measured, 'heap')];
    ratios.push([other, Math.max(rss, heap)], [`${other}_rss`, rss], [`${other}_heap`, heap]);
  }
  return ratios;
}

function ratesOf({ store, live: series, churn }: Measured): [string, Record<string, number>][] {
  const rates: [string, Record<string, number>][] = [];
  const of = (figure: (report: LiveReport) => number): Record<string, number> =>
    Object.fromEntries(VARIANTS.map((variant) => [variant, rounded(median(series[variant].map(figure)))]));
  if (series.clients.length > 0) {
    rates.push(
      [`${sse(store)}_p50_ms`, of(FIGURES.p50)],
      [`${sse(store)}_p99_ms`, of(FIGURES.p99)],
      [`${sse(store)}_cpu_ms_per_s`, of(FIGURES.cpu)],
      [`${sse(store)}_messages_per_s`, of(({ messages }) => messages)],
    );
  }
  if (churn.length > 0) {
    for (const figure of ['rss', 'heap'] as const) {
      const [few, many] = (['before', 'after'] as const).map((when) =>
        rounded(median(churn.map((report) => report[when][figure]))),
      );
      rates.push([`${churned(store)}_${figure}_mb`, { [`after_${CHURNED[0]}`]: few!, [`after_${CHURNED[1]}`]: many! }]);
    }
  }
  return rates;
}

function rounded(value: number): number {
  return Number(value.toFixed(3));
}

function liveInWords({ p50, p99, cpu, messages }: LiveReport): string {
  return `p50 ${p50.toFixed(2)}  p99 ${p99.toFixed(2)}  ${cpu.toFixed(0)} ms CPU/s  ${messages.toFixed(0)} messages/s`;
}

function churnInWords({ before, after }: ChurnReport): string {
  const megabytes = ({ rss, heap }: ChurnReport['before']): string => `${rss.toFixed(0)} MB, heap ${heap.toFixed(1)}`;
  return `${megabytes(before)}, then ${megabytes(after)}`;
}

function liveTable(all: readonly Measured[]): string {
  const table = new Table({
    head: ['row', 'process', 'p50 ms', 'of none', 'p99 ms', 'of none', 'CPU ms/s', 'messages/s'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const measured of all) {
    for (const variant of VARIANTS) {
      const reports = measured.live[variant];
      if (reports.length === 0) continue;
      const of = (figure: (report: LiveReport) => number): number => median(reports.map(figure));
      table.push([
        sse(measured.store),
        variant,
        of(FIGURES.p50).toFixed(2),
        ratio(measured, variant, 'p50').toFixed(2),
        of(FIGURES.p99).toFixed(2),
        ratio(measured, variant, 'p99').toFixed(2),
        of(FIGURES.cpu).toFixed(0),
        of(({ messages }) => messages).toFixed(0),
      ]);
    }
  }
  return table.length > 0 ? table.toString() : '';
}

function churnTable(all: readonly Measured[]): string {
  const table = new Table({
    head: ['row', 'clients came and went', 'RSS MB', 'heap MB'],
    colAligns: ['left', 'left', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const { store, churn } of all.filter((measured) => measured.churn.length > 0)) {
    for (const [n, when] of (['before', 'after'] as const).entries()) {
      const of = (figure: keyof ChurnReport['before']): number => median(churn.map((report) => report[when][figure]));
      table.push([churned(store), `${CHURNED[n]} times`, of('rss').toFixed(0), of('heap').toFixed(1)]);
    }
  }
  return table.length > 0 ? table.toString() : '';
}
