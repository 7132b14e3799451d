import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest } from './chaos-run.js';
import { ofKind } from './delivery-audit.js';
import type { ProcessEnd } from './fleet.js';
import { clock, millisecondsBetween, type LedgerEntry } from './ledger.js';
import { auditLoad, inFlight, oddRefusals } from './load-audit.js';
import { Producer, type DrawOrder } from './producer.js';
import { seededRandom } from './seeded-random.js';

export interface DeployRequest extends Omit<ChaosRequest, 'kills'> {
  /** How often all workers are replaced, one after the other. */
  readonly rolls: number;
}

const CONCURRENCY = 10;
const TIME_TO_END = 120_000;
const GRACE = 1_500;
/** Milliseconds. So long that a process without a turn for a while keeps its jobs: no job has to wait for its end. */
const LEASE = 10_000;
/** What a task has after the grace, and what giving back and closing may take on a machine under load. */
const TIME_TO_REACT = 1_000;
const SLACK = 5_000;

/** Milliseconds; begun a little ago, it outlasts grace and reaction. */
const LONG = 3_300;
const A_LITTLE = 500;

/** Some take longer than a process may take to end; half of these listen to their signal. */
const drawOrder: DrawOrder = (random, n) => ({
  n,
  takes: random.chance(0.03) ? random.between(LONG, LONG + 1_000) : random.between(0, 250),
  throwsFirst: random.chance(0.1),
  followUp: random.chance(0.1),
  heedsSignal: random.chance(0.5),
  isNamed: random.chance(0.5),
});

/** Replaces the workers by SIGTERM, one after the other, again and again, while jobs are enqueued and worked. */
export async function deploy(request: DeployRequest): Promise<ChaosReport> {
  const { seed, jobs, workers, rolls } = request;
  const random = seededRandom(seed);
  const scene = await ChaosScene.open(request, CONCURRENCY, { grace: GRACE, lease: LEASE });
  const producer = new Producer(scene.jobs, scene.ledger, seed, drawOrder);
  try {
    const ends: ProcessEnd[] = [];
    for (let roll = 0; roll < rolls; roll++) {
      await producer.untilAcknowledged(Math.floor((jobs * roll) / rolls));
      // As a Deployment of Kubernetes does, or as a StatefulSet.
      const order = random.chance(0.5) ? 'new first' : 'old first';
      for (let slot = 0; slot < workers; slot++) {
        await pause(random.between(100, 400));
        await untilInLongTask(scene, producer, scene.fleet.pidIn(slot));
        ends.push(await scene.fleet.replace(slot, order));
      }
    }
    await producer.untilAcknowledged(jobs);
    await producer.stop();
    return await verdict(scene, producer, ends);
  } finally {
    await scene.close();
  }
}

async function untilInLongTask(scene: ChaosScene, producer: Producer, pid: number): Promise<void> {
  const isThere = (): boolean => {
    const now = clock();
    const running = inFlight(scene.entries(), [pid], now, now);
    return running.some(
      ({ id, at }) => millisecondsBetween(at, now) < A_LITTLE && (producer.orders.get(id)?.takes ?? 0) >= LONG,
    );
  };
  await eventually(isThere, { timeout: 60_000 });
}

async function verdict(scene: ChaosScene, producer: Producer, ends: readonly ProcessEnd[]): Promise<ChaosReport> {
  const { entries, statuses, stored } = await scene.whenAllEnded(TIME_TO_END);
  const acknowledged = [...statuses.keys()];
  const givenBack = runsGivenBack(entries, ends);
  // Given back, a run goes on in another process as the same attempt.
  const theirs = entries.filter((entry) => !givenBack.has(entry));
  const { counts, promises } = auditLoad({ entries: theirs, statuses, stored });
  const attemptsOf = (id: string): number => (producer.orders.get(id)?.throwsFirst ? 2 : 1);
  const tookTooLong = ends.filter(({ toldAt, endedAt }) => {
    return millisecondsBetween(toldAt, endedAt) > GRACE + TIME_TO_REACT + SLACK;
  });
  const idle = ends.filter(({ pid, toldAt }) => inFlight(entries, [pid], toldAt, toldAt).length === 0);
  return {
    counts: {
      ...counts,
      restarts: ends.length,
      in_flight_at_sigterm: ends.flatMap(({ pid, toldAt }) => inFlight(entries, [pid], toldAt, toldAt)).length,
      runs_given_back: givenBack.size,
      attempts_by_order: acknowledged.filter((id) => attemptsOf(id) === 2).length,
      longest_shutdown_ms: Math.max(...ends.map(({ toldAt, endedAt }) => millisecondsBetween(toldAt, endedAt))),
    },
    broken: brokenOnly({
      ...promises,
      'No attempt is spent by a restart': acknowledged.filter((id) => {
        const status = statuses.get(id);
        return status?.terminal === true && status.attempt !== attemptsOf(id);
      }),
      'No enqueue is refused': oddRefusals(entries).concat(producer.refused > 0 ? [`${producer.refused} refused`] : []),
      'A process ends within its grace, and a little': tookTooLong.map(
        ({ pid, toldAt, endedAt }) => `${pid} took ${millisecondsBetween(toldAt, endedAt)} ms`,
      ),
      'A process ends by its SIGTERM': ends
        .filter(({ signal }) => signal !== 'SIGTERM')
        .map(({ pid, code, signal }) => `${pid} ended with ${signal ?? code}`),
      'Processes end only when they are told to': [
        ...scene.fleet.endedByThemselves,
        ...(scene.fleet.deaths === ends.length ? [] : [`${scene.fleet.deaths} ended, ${ends.length} were told to`]),
      ],
      'Processes are told to end in the middle of tasks': idle.map(({ pid }) => `${pid} was idle`),
      'Jobs are given back': givenBack.size === 0 ? ['none was'] : [],
    }),
    directory: scene.directory,
  };
}

/** Of one attempt, the runs before the last, if their process had been told to end by the time the next one began. */
function runsGivenBack(entries: readonly LedgerEntry[], ends: readonly ProcessEnd[]): Set<LedgerEntry> {
  const toldAt = new Map(ends.map((end) => [end.pid, end.toldAt]));
  const givenBack = new Set<LedgerEntry>();
  const latest = new Map<string, LedgerEntry>();
  for (const run of ofKind(entries, 'run')) {
    const attempt = `${run.id} ${run.attempt}`;
    const before = latest.get(attempt);
    if (before && (toldAt.get(before.pid) ?? Infinity) < run.at) givenBack.add(before);
    latest.set(attempt, run);
  }
  return givenBack;
}
