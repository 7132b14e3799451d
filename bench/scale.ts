import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { startAlone } from './support/alone.js';
import { machineTime } from './support/clock.js';
import { BASE, Comparison, CONTROL, type RatePair, type Row } from './support/comparison.js';
import { fillWithMails, mailsLeft } from './support/many-mails.js';
import type { Measurement } from './support/meter.js';
import { median } from './support/rounds.js';
import type { Store } from './support/stores.js';
import type { WindowReport, WindowRequest } from './support/work-window.js';

const PROCESSES = [1, 2, 4] as const;
const VARIANTS = [BASE, CONTROL, 'ours'] as const;
/** Milliseconds: until the processes have warmed up, and for which they are counted. */
const WARM_UP = 1_000;
const WINDOW = 1_500;

interface TaskKind {
  readonly name: 'sleep' | 'light';
  /** Milliseconds; 0: the task does nothing. */
  readonly sleep: number;
  /** Of each process. */
  readonly concurrency: number;
  /** More than are worked in one measurement. */
  readonly jobs: number;
}

const TASKS: readonly TaskKind[] = [
  // So few at once that four processes and Redis leave much of two cores idle: else the cores would be measured.
  { name: 'sleep', sleep: 2, concurrency: 1, jobs: 10_000 },
  { name: 'light', sleep: 0, concurrency: 10, jobs: 100_000 },
];

/** What further worker processes bring. */
export const scale: Bench = {
  about: '1, 2 and 4 worker processes, with tasks that sleep 2 ms and tasks that do nothing',
  backends: ['redis'],
  supports: ['redis'],
  rounds: 5,

  async run({ stores, ...choice }: BenchRequest): Promise<BenchResult> {
    const cores = new Map<string, number[]>();
    const rows = TASKS.flatMap((task) => PROCESSES.map((processes) => rowOf(stores[0]!, task, processes, cores)));
    const comparison = await Comparison.of(rows, choice);
    return {
      table: comparison.table(),
      notes: [...cores].map(([row, busy]) => {
        return `${row}: the worker processes and Redis kept ${median(busy).toFixed(2)} cores busy.`;
      }),
      ratios: comparison.ratios(wanted()),
      rates: comparison.absolutes(),
    };
  },
};

function rowOf(store: Store, task: TaskKind, processes: number, cores: Map<string, number[]>): Row {
  const name = rowName(task, processes);
  return {
    name,
    variants: VARIANTS,
    measure: async (variant) => {
      const { busy, ...measurement } = await measure(store, task, processes, variant === 'ours' ? 'ours' : 'raw');
      cores.set(name, [...(cores.get(name) ?? []), busy]);
      return measurement;
    },
  };
}

function rowName({ name }: TaskKind, processes: number): string {
  return `${name}${processes}`;
}

async function measure(
  store: Store,
  { jobs, concurrency, sleep: pause }: TaskKind,
  processes: number,
  worker: 'raw' | 'ours',
): Promise<Measurement & { busy: number }> {
  await store.clear();
  const address = { name: store.name, location: store.location };
  await fillWithMails(address, jobs);
  const module = new URL('./support/work-window.js', import.meta.url);
  const workers = Array.from({ length: processes }, () => startAlone<WindowRequest, WindowReport | undefined>(module));
  const begin = { step: 'begin', worker, store: address, concurrency, sleep: pause } as const;
  await Promise.all(workers.map((each) => each.ask(begin)));
  const from = machineTime() + WARM_UP;
  const to = from + WINDOW;
  const redis = new Redis(store.location);
  const redisSeconds = redisCpuBetween(redis, from, to);
  const reports = await Promise.all(workers.map((each) => each.ask({ step: 'count', from, to })));
  const busyOfRedis = (await redisSeconds) / (WINDOW / 1_000);
  if ((await mailsLeft(redis)) === 0) throw new Error(`The ${jobs} jobs were too few to last.`);
  redis.disconnect();
  await Promise.all(workers.map((each) => each.end()));
  const rate = reports.reduce((sum, report) => sum + report!.rate, 0);
  const cpu = reports.reduce((sum, report) => sum + report!.cpu, 0);
  return { rate, cpu: cpu / rate, busy: cpu / 1e6 + busyOfRedis };
}

/** In seconds, between two moments of {@link machineTime}. */
async function redisCpuBetween(redis: Redis, from: number, to: number): Promise<number> {
  await sleep(from - machineTime());
  const before = await redisCpu(redis);
  await sleep(to - machineTime());
  return (await redisCpu(redis)) - before;
}

async function redisCpu(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = (field: string): number => Number(new RegExp(`^${field}:([0-9.]+)`, 'm').exec(info)![1]);
  return seconds('used_cpu_user') + seconds('used_cpu_sys');
}

/** An efficiency is the rate of several processes over that of as many times one. */
function wanted(): Record<string, RatePair> {
  const pairs = TASKS.flatMap((task) => {
    const efficiency = (processes: number, of: string): RatePair => {
      return { row: rowName(task, processes), of, toRow: rowName(task, 1), to: of, divisor: processes };
    };
    const prefix = task.name === 'sleep' ? '' : `${task.name}_`;
    return [
      ...PROCESSES.slice(1).flatMap((processes): [string, RatePair][] => [
        [`${prefix}eff${processes}`, efficiency(processes, 'ours')],
        [`${prefix}raw_eff${processes}`, efficiency(processes, BASE)],
        [`${prefix}aa_eff${processes}`, efficiency(processes, CONTROL)],
      ]),
      ...PROCESSES.flatMap((processes): [string, RatePair][] => {
        const row = rowName(task, processes);
        return [
          [row, { row, of: 'ours' }],
          [`${row}_aa`, { row, of: CONTROL }],
        ];
      }),
    ];
  });
  return { aa: { row: 'sleep1', of: CONTROL }, ...Object.fromEntries(pairs) };
}
