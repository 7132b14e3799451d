import Table from 'cli-table3';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import { assertKnown, BASE, Comparison, CONTROL, ROW_PREFIX, type RatePair, type Row } from './support/comparison.js';
import type { CreateSchedulesRequest } from './support/create-schedules.js';
import type { FireSchedulesRequest, Lag } from './support/fire-schedules.js';
import type { Measurement } from './support/meter.js';
import type { RestWithSchedules, RestWithSchedulesRequest } from './support/rest-with-schedules.js';
import { median, medianRatio, rotated } from './support/rounds.js';
import type { Store, StoreName } from './support/stores.js';

const OURS = 'ours';
const VARIANTS = [BASE, CONTROL, OURS] as const;

const CREATED = 10_000;
const WARM_UP = 2_000;
const DUE = 1_000;
/** Seconds from one time to the next. */
const PERIOD: Record<StoreName, number> = { redis: 10, postgres: 15, embedded: 30 };
const CONCURRENCY = 32;
const FEW = 10;
/** Milliseconds, in which the keeper looks several times. */
const REST = 20_000;
const RESTING = { few: FEW, 'few-again': FEW, many: CREATED } as const;

type Series<Key extends string, Value> = Record<Key, Value[]>;
type Lags = ReadonlyMap<string, Series<(typeof VARIANTS)[number], Lag>>;
type Rests = ReadonlyMap<string, Series<keyof typeof RESTING, RestWithSchedules>>;

/** What it costs to make schedules, how late the jobs of many begin that are due at once, and what many cost at rest. */
export const schedules: Bench = {
  about: 'making schedules, the lag of 1,000 in the same second, and 10,000 at rest, against those of BullMQ',
  backends: ['redis', 'postgres'],
  supports: ['redis', 'postgres'],
  rounds: 5,

  async run({ stores, jobs = CREATED, rounds, rows, variants }: BenchRequest): Promise<BenchResult> {
    const names = (kind: string): string[] => stores.map(({ name }) => ROW_PREFIX[name] + kind);
    assertKnown('rows', rows, new Set(['create', 'lag', 'idle'].flatMap(names)));
    const chosen = (kind: string): Store[] =>
      stores.filter(({ name }) => rows?.includes(ROW_PREFIX[name] + kind) ?? true);
    const created = chosen('create');
    const creating = await Comparison.of(
      created.map((store) => createRow(store, jobs)),
      { rounds, rows: undefined, variants: created.length > 0 ? variants : undefined },
    );
    const lags = await measureLags(chosen('lag'), rounds);
    const rests = await measureRests(chosen('idle'), rounds);
    return {
      table: [
        ...(created.length > 0 ? [creating.table()] : []),
        ...(lags.size > 0 ? [lagTable(lags)] : []),
        ...(rests.size > 0 ? [restTable(rests)] : []),
      ].join('\n'),
      notes: ['create: jobs are schedules. lag: from the time of a job until it begins.'],
      ratios: {
        ...creating.ratios(Object.fromEntries(created.flatMap(wantedOf))),
        ...Object.fromEntries([...lags].flatMap(lagRatios)),
        ...Object.fromEntries([...rests].flatMap(restRatios)),
      },
      rates: {
        ...creating.absolutes(),
        ...Object.fromEntries([...lags].map(([row, series]) => [`${row}_p99_ms`, mediansOf(series, ({ p99 }) => p99)])),
        ...Object.fromEntries(
          [...rests].flatMap(([row, series]) => [
            [`${row}_commands_per_s`, mediansOf(series, ({ commands }) => commands)],
            [`${row}_cpu_ms_per_s`, mediansOf(series, ({ cpu }) => cpu)],
          ]),
        ),
      },
    };
  },
};

function addressOf({ name, location }: Store): Pick<Store, 'name' | 'location'> {
  return { name, location };
}

function createRow(store: Store, count: number): Row {
  return {
    name: `${ROW_PREFIX[store.name]}create`,
    variants: VARIANTS,
    async measure(variant) {
      await store.clear();
      const request: CreateSchedulesRequest = {
        by: variant === OURS ? 'ours' : 'raw',
        store: addressOf(store),
        warmUp: Math.min(WARM_UP, count),
        schedules: count,
      };
      return runAlone<CreateSchedulesRequest, Measurement>(
        new URL('./support/create-schedules.js', import.meta.url),
        request,
      );
    },
  };
}

function wantedOf({ name }: Store): [name: string, pair: RatePair][] {
  const row = `${ROW_PREFIX[name]}create`;
  return [
    [row, { row, of: OURS }],
    [`${row}_aa`, { row, of: CONTROL }],
  ];
}

async function measureLags(stores: readonly Store[], rounds: number): Promise<Lags> {
  const lags = new Map<string, Series<(typeof VARIANTS)[number], Lag>>();
  for (const store of stores) {
    const row = `${ROW_PREFIX[store.name]}lag`;
    const series: Series<(typeof VARIANTS)[number], Lag> = { [BASE]: [], [CONTROL]: [], [OURS]: [] };
    lags.set(row, series);
    for (let round = 0; round < rounds; round++) {
      for (const variant of rotated(VARIANTS, round)) {
        await store.clear();
        const request: FireSchedulesRequest = {
          by: variant === OURS ? 'ours' : 'raw',
          store: addressOf(store),
          schedules: DUE,
          period: PERIOD[store.name],
          concurrency: CONCURRENCY,
        };
        const lag = await runAlone<FireSchedulesRequest, Lag>(
          new URL('./support/fire-schedules.js', import.meta.url),
          request,
        );
        series[variant].push(lag);
        console.error(
          `round ${round + 1}/${rounds}  ${row}  ${variant}  p50 ${lag.p50} ms  p99 ${lag.p99} ms  ${lag.cpu.toFixed(0)} µs CPU/job`,
        );
      }
    }
  }
  return lags;
}

async function measureRests(stores: readonly Store[], rounds: number): Promise<Rests> {
  const rests = new Map<string, Series<keyof typeof RESTING, RestWithSchedules>>();
  for (const store of stores) {
    const row = `${ROW_PREFIX[store.name]}idle`;
    const series: Series<keyof typeof RESTING, RestWithSchedules> = { few: [], 'few-again': [], many: [] };
    rests.set(row, series);
    for (let round = 0; round < rounds; round++) {
      for (const variant of rotated(Object.keys(RESTING) as (keyof typeof RESTING)[], round)) {
        await store.clear();
        const request: RestWithSchedulesRequest = {
          store: addressOf(store),
          schedules: RESTING[variant],
          milliseconds: REST,
        };
        const module = new URL('./support/rest-with-schedules.js', import.meta.url);
        const rest = await runAlone<RestWithSchedulesRequest, RestWithSchedules>(module, request);
        series[variant].push(rest);
        const figures = `${rest.commands.toFixed(2)} commands/s  ${rest.cpu.toFixed(2)} ms CPU/s`;
        console.error(`round ${round + 1}/${rounds}  ${row}  ${variant}  ${figures}`);
      }
    }
  }
  return rests;
}

function ratio<Value>(of: readonly Value[], to: readonly Value[], figure: (value: Value) => number): number {
  return Number(medianRatio(of.map(figure), to.map(figure)).toFixed(3));
}

function lagRatios([row, series]: [string, Lags extends ReadonlyMap<string, infer S> ? S : never]): [string, number][] {
  const p99 = (lag: Lag): number => lag.p99;
  return [
    [`${row}_p99`, ratio(series.ours, series.raw, p99)],
    [`${row}_p99_aa`, ratio(series[CONTROL], series.raw, p99)],
  ];
}

function restRatios([row, series]: [string, Rests extends ReadonlyMap<string, infer S> ? S : never]): [
  string,
  number,
][] {
  const commands = (rest: RestWithSchedules): number => rest.commands;
  const cpu = (rest: RestWithSchedules): number => rest.cpu;
  return [
    [`${row}_${CREATED}_vs_${FEW}`, ratio(series.many, series.few, commands)],
    [`${row}_aa`, ratio(series['few-again'], series.few, commands)],
    [`${row}_${CREATED}_vs_${FEW}_cpu`, ratio(series.many, series.few, cpu)],
    [`${row}_aa_cpu`, ratio(series['few-again'], series.few, cpu)],
  ];
}

function mediansOf<Key extends string, Value>(
  series: Series<Key, Value>,
  figure: (value: Value) => number,
): Record<string, number> {
  const all = Object.entries(series) as [Key, Value[]][];
  return Object.fromEntries(all.map(([variant, values]) => [variant, Number(median(values.map(figure)).toFixed(2))]));
}

function lagTable(lags: Lags): string {
  const table = new Table({
    head: ['row', 'variant', 'p50 ms', 'p99 ms', 'largest p99', 'CPU µs/job'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const [row, series] of lags) {
    for (const variant of VARIANTS) {
      const [p50, p99, cpu] = (['p50', 'p99', 'cpu'] as const).map((key) => series[variant].map((lag) => lag[key]));
      table.push([
        row,
        variant,
        median(p50!).toFixed(0),
        median(p99!).toFixed(0),
        Math.max(...p99!),
        median(cpu!).toFixed(0),
      ]);
    }
  }
  return table.toString();
}

function restTable(rests: Rests): string {
  const table = new Table({
    head: ['row', 'schedules', 'commands/s', 'CPU ms/s'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const [row, series] of rests) {
    for (const variant of Object.keys(RESTING) as (keyof typeof RESTING)[]) {
      const figures = (['commands', 'cpu'] as const).map((key) =>
        median(series[variant].map((rest) => rest[key])).toFixed(2),
      );
      table.push([row, RESTING[variant], ...figures]);
    }
  }
  return table.toString();
}
