import Table from 'cli-table3';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { BASE, CONTROL } from './support/comparison.js';
import { measureCapacity, measureLatency, PHASES, type Latencies, type Side } from './support/latency-run.js';
import { median, medianRatio, rotated } from './support/rounds.js';
import type { Store } from './support/stores.js';

const VARIANTS = [BASE, CONTROL, 'ours'] as const;
type Variant = (typeof VARIANTS)[number];

/** How often the rate is measured of which half is the load. */
const CAPACITY_ROUNDS = 3;
const LOAD = 0.5;
/** Jobs that come at half load, by default. */
const JOBS = 5_000;

const MOMENTS = ['started', 'finished'] as const;
const QUANTILES = ['p50', 'p99'] as const;
/** `idle_started_p50` and so on. */
const FIGURES = PHASES.flatMap((phase) =>
  MOMENTS.flatMap((moment) => QUANTILES.map((quantile) => ({ phase, moment, quantile }))),
);

/** How long a job takes from its enqueue to its start and to its end, with nothing else to do and at half load. */
export const latency: Bench = {
  about: 'from enqueue to started and to finished, idle and at half load, against BullMQ alone',
  backends: ['redis'],
  supports: ['redis'],
  rounds: 7,

  async run({ stores, jobs, rounds, variants }: BenchRequest): Promise<BenchResult> {
    const store = stores[0]!;
    const capacity = await capacityOf(store);
    const rate = capacity * LOAD;
    const series = new Map<Variant, Latencies[]>(VARIANTS.map((variant) => [variant, []]));
    const compared = VARIANTS.filter((variant) => variant === BASE || (variants?.includes(variant) ?? true));
    for (let round = 0; round < rounds; round++) {
      for (const variant of rotated(compared, round)) {
        const measured = await measureLatency(store, sideOf(variant), { rate, jobs: jobs ?? JOBS, seed: round });
        series.get(variant)!.push(measured);
        console.error(`round ${round + 1}/${rounds}  ${variant}  ${inWords(measured)}`);
      }
    }
    const all = [...series].filter(([, measured]) => measured.length > 0);
    return {
      table: tableOf(all),
      notes: [
        `Milliseconds. Half load: ${Math.round(rate)} jobs/s, where raw sustains ${Math.round(capacity)} in this arrangement.`,
        ...all.map(([variant, measured]) => `${variant}: an enqueue is called ${lateness(measured)} after it is due.`),
      ],
      ratios: ratiosOf(new Map(all)),
      rates: { ...ratesOf(all), load: { jobs_per_s: Math.round(rate) } },
    };
  },
};

async function capacityOf(store: Store): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < CAPACITY_ROUNDS; round++) {
    rates.push(await measureCapacity(store));
    console.error(`capacity ${round + 1}/${CAPACITY_ROUNDS}  raw  ${Math.round(rates.at(-1)!)} jobs/s`);
  }
  return median(rates);
}

function sideOf(variant: Variant): Side {
  return variant === 'ours' ? 'ours' : 'raw';
}

function ratiosOf(series: ReadonlyMap<Variant, readonly Latencies[]>): Record<string, number> {
  const base = series.get(BASE)!;
  const ofVariant = (variant: Variant, prefix: string): [string, number][] => {
    const measured = series.get(variant);
    if (!measured) return [];
    const ratios = FIGURES.map((figure): [string, number] => {
      const [numerators, denominators] = [measured, base].map((all) => all.map((one) => read(one, figure)));
      return [prefix + nameOf(figure), Number(medianRatio(numerators!, denominators!).toFixed(3))];
    });
    const whole = QUANTILES.map((quantile): [string, number] => {
      const name = prefix + nameOf({ phase: 'load', moment: 'finished', quantile });
      return [prefix + quantile, ratios.find(([other]) => other === name)![1]];
    });
    return [...whole, ...ratios];
  };
  const control = ofVariant(CONTROL, 'aa_');
  const aa = control.filter(([name]) => name === 'aa_p50').map(([, ratio]): [string, number] => ['aa', ratio]);
  return Object.fromEntries([...ofVariant('ours', ''), ...aa, ...control]);
}

function ratesOf(all: readonly (readonly [Variant, readonly Latencies[]])[]): Record<string, Record<string, number>> {
  const rows = FIGURES.map((figure): [string, (one: Latencies) => number] => [
    `${nameOf(figure)}_ms`,
    (one) => read(one, figure),
  ]);
  const cpu: [string, (one: Latencies) => number][] = [
    ['producer_cpu_us', (one) => one.producerCpu],
    ['worker_cpu_us', (one) => one.workerCpu],
  ];
  return Object.fromEntries(
    [...rows, ...cpu].map(([name, of]) => {
      const medians = all.map(([variant, measured]) => [variant, Number(median(measured.map(of)).toFixed(3))] as const);
      return [name, Object.fromEntries(medians)];
    }),
  );
}

type Figure = (typeof FIGURES)[number];

function read(one: Latencies, { phase, moment, quantile }: Figure): number {
  return one[phase][moment][quantile];
}

function nameOf({ phase, moment, quantile }: Figure): string {
  return `${phase}_${moment}_${quantile}`;
}

function inWords(one: Latencies): string {
  return FIGURES.map((figure) => `${nameOf(figure)} ${read(one, figure).toFixed(2)}`).join('  ');
}

function lateness(measured: readonly Latencies[]): string {
  const [p50, p99] = QUANTILES.map((quantile) => median(measured.map(({ late }) => late[quantile])).toFixed(2));
  return `${p50} ms (p50) and ${p99} ms (p99)`;
}

function tableOf(all: readonly (readonly [Variant, readonly Latencies[]])[]): string {
  const quantiles = PHASES.flatMap((phase) => QUANTILES.map((quantile) => ({ phase, quantile })));
  const table = new Table({
    head: ['enqueue to', 'variant', ...quantiles.map(({ phase, quantile }) => `${phase} ${quantile}`), 'CPU µs/job'],
    colAligns: ['left', 'left', ...quantiles.map(() => 'right' as const), 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const moment of MOMENTS) {
    for (const [variant, measured] of all) {
      const figures = quantiles.map((of) => median(measured.map((one) => read(one, { ...of, moment }))).toFixed(2));
      const cpu = median(measured.map(({ producerCpu, workerCpu }) => producerCpu + workerCpu));
      table.push([moment, variant, ...figures, Math.round(cpu)]);
    }
  }
  return table.toString();
}
