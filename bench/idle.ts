import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { startAlone } from './support/alone.js';
import { ROW_PREFIX } from './support/comparison.js';
import { sampleMail } from './support/mail-jobs.js';
import type { RestReport, RestRequest } from './support/rest-app.js';
import { median, medianRatio, rotated } from './support/rounds.js';
import type { Store, StoreName } from './support/stores.js';

const VARIANTS = ['nest', 'raw', 'raw-again', 'ours'] as const;
type Variant = (typeof VARIANTS)[number];

const QUEUE_COUNTS: Record<StoreName, readonly number[]> = { redis: [1, 5], postgres: [5], embedded: [] };
const CONCURRENCY = 10;
/** Milliseconds. */
const REST = 8_000;
/** An app that knows no store has nothing to do in it. */
const REST_OF_NEST = 500;
const SETTLING = 400;
/** Of `pg.Pool` by default. */
const POOL = 10;

/** The most connections that one process of ours may have. */
const MOST_CONNECTIONS: Record<StoreName, (queues: number) => number> = {
  // One of them hears what the fleet is told.
  redis: (queues) => 3 + 2 * queues,
  postgres: () => POOL + 1,
  embedded: () => 0,
};

/** What one process was seen to take. */
interface Sample extends RestReport {
  /** Connections when it has booted, and when a result has been waited for in each queue. */
  readonly booted: number;
  readonly used: number;
}

interface Row {
  readonly name: string;
  readonly store: Store;
  readonly queues: number;
  readonly measured: Record<Variant, Sample[]>;
}

/** What a process takes that works queues in which nothing happens. */
export const idle: Bench = {
  about: 'connections, CPU and memory of a process whose queues are empty, against BullMQ alone',
  backends: ['redis', 'postgres'],
  supports: ['redis', 'postgres'],
  rounds: 3,

  async run({ stores, rounds }: BenchRequest): Promise<BenchResult> {
    const rows = stores.flatMap((store) => QUEUE_COUNTS[store.name].map((queues) => rowOf(store, queues)));
    for (let round = 0; round < rounds; round++) {
      for (const row of rows) {
        for (const variant of rotated(VARIANTS, round)) {
          const sample = await measure(row, variant);
          row.measured[variant].push(sample);
          const figures = `${sample.used} connections  ${sample.cpu.toFixed(2)} ms CPU/s  ${sample.rss.toFixed(0)} MB`;
          console.error(`round ${round + 1}/${rounds}  ${row.name}  ${variant}  ${figures}`);
        }
      }
    }
    return {
      table: tableOf(rows),
      notes: rows.map(({ name, store, queues, measured }) => {
        const most = Math.max(...measured.ours.map(({ booted, used }) => Math.max(booted, used)));
        return `${name}: ours had ${most} connections at most, where ${MOST_CONNECTIONS[store.name](queues)} are allowed.`;
      }),
      ratios: Object.fromEntries(rows.flatMap(ratiosOf)),
      rates: Object.fromEntries(rows.flatMap(ratesOf)),
    };
  },
};

function rowOf(store: Store, queues: number): Row {
  const measured = { nest: [], raw: [], 'raw-again': [], ours: [] };
  return { name: `${ROW_PREFIX[store.name]}q${queues}`, store, queues, measured };
}

async function measure({ store, queues }: Row, variant: Variant): Promise<Sample> {
  await store.clear();
  const address = { name: store.name, location: store.location };
  // Makes the tables, where there are tables.
  await sampleMail(address);
  const module = new URL('./support/rest-app.js', import.meta.url);
  const resting = startAlone<RestRequest, RestReport | undefined>(module);
  const app = variant === 'raw-again' ? 'raw' : variant;
  const names = Array.from({ length: queues }, (_, n) => `queue-${n}`);
  await resting.ask({ step: 'begin', app, store: address, workers: { queues: names, concurrency: CONCURRENCY } });
  const booted = await settled(() => store.connections());
  await resting.ask({ step: 'use' });
  const used = await settled(() => store.connections());
  const report = await resting.ask({ step: 'rest', milliseconds: variant === 'nest' ? REST_OF_NEST : REST });
  await resting.ask({ step: 'close' });
  await resting.end();
  return { ...report!, booted, used };
}

/** What is seen twice with a pause between: connections come and go a little after what they are for. */
async function settled(count: () => Promise<number>): Promise<number> {
  for (let before = await count(); ;) {
    await sleep(SETTLING);
    const now = await count();
    if (now === before) return now;
    before = now;
  }
}

const FIGURES = {
  connections: ({ booted }: Sample) => booted,
  connections_used: ({ used }: Sample) => used,
  cpu_ms_per_s: ({ cpu }: Sample) => cpu,
  rss_mb: ({ rss }: Sample) => rss,
  heap_mb: ({ heap }: Sample) => heap,
} as const;

function ratiosOf({ name, measured }: Row): [string, number][] {
  const ratio = (of: Variant, figure: keyof typeof FIGURES): number => {
    const [numerators, denominators] = [measured[of], measured.raw].map((all) => all.map(FIGURES[figure]));
    return Number(medianRatio(numerators!, denominators!).toFixed(3));
  };
  return [
    [`${name}_connections`, ratio('ours', 'connections_used')],
    [`${name}_cpu`, ratio('ours', 'cpu_ms_per_s')],
    [`${name}_rss`, ratio('ours', 'rss_mb')],
    [`${name}_aa_cpu`, ratio('raw-again', 'cpu_ms_per_s')],
    [`${name}_aa_rss`, ratio('raw-again', 'rss_mb')],
  ];
}

function ratesOf({ name, measured }: Row): [string, Record<string, number>][] {
  return Object.entries(FIGURES).map(([figure, of]) => {
    const medians = VARIANTS.map((variant) => [variant, Number(median(measured[variant].map(of)).toFixed(2))] as const);
    return [`${name}_${figure}`, Object.fromEntries(medians)];
  });
}

function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: ['row', 'process', 'connections', 'after results', 'CPU ms/s', 'RSS MB', 'heap MB'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const { name, measured } of rows) {
    for (const variant of VARIANTS) {
      const figures = Object.values(FIGURES).map((of) => median(measured[variant].map(of)));
      const [booted, used, cpu, rss, heap] = figures as [number, number, number, number, number];
      table.push([name, variant, booted, used, cpu.toFixed(2), rss.toFixed(0), heap.toFixed(1)]);
    }
  }
  return table.toString();
}
