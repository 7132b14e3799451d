import Table from 'cli-table3';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import { assertKnown, figure, ROW_PREFIX } from './support/comparison.js';
import type { Consumption } from './support/consume.js';
import type { Measurement } from './support/meter.js';
import { enqueueNoops } from './support/noop-jobs.js';
import { median, medianRatio, rotated } from './support/rounds.js';
import type { ScrapeReport, ScrapeRequest } from './support/scrape-app.js';
import { STORE_NAMES, type Store, type StoreAddress, type StoreName } from './support/stores.js';

const METRICS = ['off', 'off-again', 'on'] as const;
const BACKLOGS = ['few', 'few-again', 'many'] as const;

const FEW = 200;
const MANY = 200_000;
/** Of the jobs that wait; those of the same size share one. */
const NAMESPACES = { few: 'bench_few', 'few-again': 'bench_few', many: 'bench_many' } as const;
const WAITING = { few: FEW, 'few-again': FEW, many: MANY } as const;
/** Milliseconds in which a process is scraped: figures of the fleet are counted anew several times. */
const SCRAPED_FOR = 15_000;
const CONCURRENCY = 32;
/** Timed jobs, and for each of them half a one that warms up. */
const JOBS: Record<StoreName, number> = { redis: 60_000, postgres: 6_000, embedded: 1_000 };
const WARM_UP = 0.5;

interface Measured {
  readonly store: Store;
  readonly jobs: Record<(typeof METRICS)[number], Measurement[]>;
  readonly scrapes: Record<(typeof BACKLOGS)[number], ScrapeReport[]>;
}

/** What metrics cost a job, and whether a scrape costs more when more jobs wait. */
export const observe: Bench = {
  about: 'CPU of a no-op job with metrics and without, and scrapes with 200,000 and with 200 jobs that wait',
  backends: ['redis'],
  supports: STORE_NAMES,
  rounds: 5,

  async run({ stores, jobs, rounds, rows }: BenchRequest): Promise<BenchResult> {
    assertKnown('rows', rows, new Set(stores.flatMap((store) => [metricsRow(store), scrapeRow(store)])));
    const isChosen = (row: string): boolean => rows?.includes(row) ?? true;
    const all = stores.map((store): Measured => ({
      store,
      jobs: { off: [], 'off-again': [], on: [] },
      scrapes: { few: [], 'few-again': [], many: [] },
    }));
    for (const { store, jobs: series } of all.filter((measured) => isChosen(metricsRow(measured.store)))) {
      for (let round = 0; round < rounds; round++) {
        for (const variant of rotated(METRICS, round)) {
          const measurement = await measureJobs(store, variant === 'on', jobs ?? JOBS[store.name]);
          series[variant].push(measurement);
          console.error(
            `round ${round + 1}/${rounds}  ${metricsRow(store)}  ${variant}  ${measurement.cpu.toFixed(1)} µs CPU/job`,
          );
        }
      }
    }
    for (const { store, scrapes } of all.filter((measured) => isChosen(scrapeRow(measured.store)))) {
      await fill(store);
      for (let round = 0; round < rounds; round++) {
        for (const variant of rotated(BACKLOGS, round)) {
          const report = await measureScrapes(store, variant);
          scrapes[variant].push(report);
          const figures = `mean ${report.mean.toFixed(2)} ms  p50 ${report.p50.toFixed(2)}  p99 ${report.p99.toFixed(2)}`;
          console.error(`round ${round + 1}/${rounds}  ${scrapeRow(store)}  ${variant}  ${figures}`);
        }
      }
    }
    return {
      table: [jobsTable(all), scrapesTable(all)].filter((table) => table !== '').join('\n'),
      notes: ['metrics_on: CPU of a job without metrics to that with them; above 1, it costs nothing.'],
      ratios: Object.fromEntries(all.flatMap(ratiosOf)),
      rates: Object.fromEntries(all.flatMap(ratesOf)),
    };
  },
};

function metricsRow({ name }: Store): string {
  return `${ROW_PREFIX[name]}metrics_on`;
}

function scrapeRow({ name }: Store): string {
  return `${ROW_PREFIX[name]}scrape_${MANY}_vs_${FEW}`;
}

async function measureJobs(of: Store, metrics: boolean, jobs: number): Promise<Measurement> {
  const store = addressOf(of);
  const warmUp = Math.ceil(jobs * WARM_UP);
  await of.clear();
  await enqueueNoops(store, warmUp + jobs);
  const consumption: Consumption = { worker: 'ours', store, concurrency: CONCURRENCY, warmUp, jobs, metrics };
  return runAlone<Consumption, Measurement>(new URL('./support/consume.js', import.meta.url), consumption);
}

async function fill(store: Store): Promise<void> {
  await store.clear();
  for (const variant of ['few', 'many'] as const) {
    await enqueueNoops(addressOf(store), WAITING[variant], NAMESPACES[variant]);
  }
}

function addressOf({ name, location }: Store): StoreAddress {
  return { name, location };
}

function measureScrapes(store: Store, variant: (typeof BACKLOGS)[number]): Promise<ScrapeReport> {
  const request: ScrapeRequest = {
    store: addressOf(store),
    namespace: NAMESPACES[variant],
    backlog: WAITING[variant],
    milliseconds: SCRAPED_FOR,
  };
  return runAlone<ScrapeRequest, ScrapeReport>(new URL('./support/scrape-app.js', import.meta.url), request);
}

function ratio<Value>(of: readonly Value[], to: readonly Value[], figureOf: (value: Value) => number): number {
  return Number(medianRatio(of.map(figureOf), to.map(figureOf)).toFixed(3));
}

function ratiosOf({ store, jobs, scrapes }: Measured): [string, number][] {
  const ratios: [string, number][] = [];
  const cpu = (measurement: Measurement): number => measurement.cpu;
  if (jobs.on.length > 0) {
    const row = metricsRow(store);
    ratios.push([row, ratio(jobs.off, jobs.on, cpu)], [`${row}_aa`, ratio(jobs.off, jobs['off-again'], cpu)]);
  }
  if (scrapes.many.length > 0) {
    const row = scrapeRow(store);
    for (const [suffix, of] of [
      ['', 'mean'],
      ['_p50', 'p50'],
    ] as const) {
      const figureOf = (report: ScrapeReport): number => report[of];
      ratios.push(
        [row + suffix, ratio(scrapes.many, scrapes.few, figureOf)],
        [`${row}_aa${suffix}`, ratio(scrapes['few-again'], scrapes.few, figureOf)],
      );
    }
  }
  return ratios;
}

function ratesOf({ store, jobs, scrapes }: Measured): [string, Record<string, number>][] {
  const rates: [string, Record<string, number>][] = [];
  const mediansOf = <Key extends string, Value>(
    series: Readonly<Record<Key, readonly Value[]>>,
    keys: readonly Key[],
    figureOf: (value: Value) => number,
  ): Record<string, number> =>
    Object.fromEntries(keys.map((key) => [key, Number(median(series[key].map(figureOf)).toFixed(2))]));
  if (jobs.on.length > 0) {
    rates.push(
      [metricsRow(store), mediansOf(jobs, METRICS, ({ rate }) => rate)],
      [`${metricsRow(store)}_cpu_us`, mediansOf(jobs, METRICS, ({ cpu }) => cpu)],
    );
  }
  if (scrapes.many.length > 0) {
    for (const of of ['mean', 'p50', 'p99'] as const) {
      rates.push([`${scrapeRow(store)}_${of}_ms`, mediansOf(scrapes, BACKLOGS, (report) => report[of])]);
    }
  }
  return rates;
}

function jobsTable(all: readonly Measured[]): string {
  const table = new Table({
    head: ['row', 'metrics', 'jobs/s', 'CPU µs/job', 'off to it'],
    colAligns: ['left', 'left', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const { store, jobs } of all.filter((measured) => measured.jobs.on.length > 0)) {
    for (const variant of METRICS) {
      const cpu = median(jobs[variant].map((one) => one.cpu)).toFixed(1);
      const rate = figure(median(jobs[variant].map((one) => one.rate)));
      table.push([metricsRow(store), variant, rate, cpu, ratio(jobs.off, jobs[variant], (one) => one.cpu).toFixed(3)]);
    }
  }
  return table.length > 0 ? table.toString() : '';
}

function scrapesTable(all: readonly Measured[]): string {
  const table = new Table({
    head: ['row', 'jobs that wait', 'mean ms', 'of few', 'p50 ms', 'p99 ms'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const { store, scrapes } of all.filter((measured) => measured.scrapes.many.length > 0)) {
    for (const variant of BACKLOGS) {
      const [mean, p50, p99] = (['mean', 'p50', 'p99'] as const).map((of) =>
        median(scrapes[variant].map((report) => report[of])).toFixed(2),
      );
      const toFew = ratio(scrapes[variant], scrapes.few, (report) => report.mean).toFixed(2);
      table.push([scrapeRow(store), `${variant} (${figure(WAITING[variant])})`, mean, toFew, p50, p99]);
    }
  }
  return table.length > 0 ? table.toString() : '';
}
