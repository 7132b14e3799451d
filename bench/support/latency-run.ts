import { runAlone, startAlone } from './alone.js';
import type { ArrivalsReport, ArrivalsRequest } from './arrive.js';
import { sampleMail } from './mail-jobs.js';
import type { FinishTimes, Observation } from './observe.js';
import { quantile } from './rounds.js';
import { inSequence, poisson, seeded, spaced, type Arrivals } from './schedule.js';
import type { SendingReport, SendingRequest } from './send-mails.js';
import type { Store, StoreAddress } from './stores.js';

/** With more, the processes of two cores wait for a core rather than jobs for a worker, at half load already. */
const CONCURRENCY = 1;
const CAPACITY_JOBS = 8_000;
/** For each job at load. */
const WARM_UP = 0.5;
const IDLE_JOBS = 400;
/** Milliseconds between jobs that have the store for themselves. */
const IDLE_GAPS = [4, 12] as const;
/** Milliseconds after which all jobs of a phase are done. */
const PAUSE = 500;

export const PHASES = ['idle', 'load'] as const;
export type Side = 'raw' | 'ours';

/** Milliseconds. */
interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

type Phase = Readonly<Record<'started' | 'finished', Quantiles>>;

export interface Latencies extends Readonly<Record<(typeof PHASES)[number], Phase>> {
  /** Between the moment when an enqueue is due at load and its call. */
  readonly late: Quantiles;
  /** Microseconds for each job of the whole run. */
  readonly producerCpu: number;
  readonly workerCpu: number;
}

interface Load {
  /** Jobs per second. */
  readonly rate: number;
  /** Jobs at load. */
  readonly jobs: number;
  readonly seed: number;
}

/** How many jobs a second BullMQ alone gets done while the producer, too, does what it can. */
export async function measureCapacity(store: Store): Promise<number> {
  const { arrived, finished } = await run(store, 'raw', CAPACITY_JOBS, undefined);
  const times = arrived.ids.map((id) => finished[id]!).toSorted((a, b) => a - b);
  // Until some thousand jobs have run, much of the time is the compiler's.
  const half = times.length >> 1;
  return ((times.length - half) * 1_000) / (times.at(-1)! - times[half - 1]!);
}

/** A latency counts from the moment when the job was due, so that a side that falls behind cannot hide it. */
export async function measureLatency(store: Store, side: Side, { rate, jobs, seed }: Load): Promise<Latencies> {
  const random = seeded(seed);
  const warmUp = Math.ceil(jobs * WARM_UP);
  const phases = [poisson(warmUp, rate, random), spaced(IDLE_JOBS, IDLE_GAPS, random), poisson(jobs, rate, random)];
  const arrivals = inSequence(phases, PAUSE);
  const { arrived, started, finished, workerCpu } = await run(store, side, arrivals.length, arrivals);
  const phase = (first: number, end: number): Phase => ({
    started: quantilesOf(arrived.due.slice(first, end).map((due, n) => started[first + n]! - due)),
    finished: quantilesOf(arrived.due.slice(first, end).map((due, n) => finished[arrived.ids[first + n]!]! - due)),
  });
  const loadFrom = warmUp + IDLE_JOBS;
  return {
    idle: phase(warmUp, loadFrom),
    load: phase(loadFrom, arrivals.length),
    late: quantilesOf(arrived.due.slice(loadFrom).map((due, n) => arrived.called[loadFrom + n]! - due)),
    producerCpu: arrived.cpu,
    workerCpu,
  };
}

interface Run {
  readonly arrived: ArrivalsReport;
  readonly finished: FinishTimes;
  readonly started: readonly number[];
  readonly workerCpu: number;
}

/** Producer, worker and observer have a process each. */
async function run(store: Store, side: Side, jobs: number, arrivals: Arrivals | undefined): Promise<Run> {
  await store.clear();
  const address: StoreAddress = { name: store.name, location: store.location };
  const like = await sampleMail(address);
  await store.clear();
  const observer = startAlone<Observation, FinishTimes | undefined>(new URL('./observe.js', import.meta.url));
  const worker = startAlone<SendingRequest, SendingReport | undefined>(new URL('./send-mails.js', import.meta.url));
  // One more: the producer's first, before the clock runs.
  await observer.ask({ step: 'begin', store: address, jobs: jobs + 1 });
  await worker.ask({ step: 'begin', worker: side, store: address, concurrency: CONCURRENCY });
  const arrived = await runAlone<ArrivalsRequest, ArrivalsReport>(new URL('./arrive.js', import.meta.url), {
    producer: side,
    store: address,
    like,
    jobs,
    arrivals,
  });
  const finished = (await observer.ask({ step: 'finish' }))!;
  const { started, cpu: workerCpu } = (await worker.ask({ step: 'finish' }))!;
  await Promise.all([observer.end(), worker.end()]);
  return { arrived, finished, started, workerCpu };
}

function quantilesOf(values: readonly number[]): Quantiles {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) };
}
