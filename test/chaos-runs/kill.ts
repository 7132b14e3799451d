import { setTimeout as pause } from 'node:timers/promises';
import { task } from '../../libs/jobs/src/index.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest } from './chaos-run.js';
import { ChaosTasks, expectedValue } from './chaos-tasks.js';
import { auditDelivery, ofKind } from './delivery-audit.js';
import { clock } from './ledger.js';
import { auditPayments, drawPayment, enqueuePayment } from './payments.js';
import { seededRandom, type SeededRandom } from './seeded-random.js';

const CONCURRENCY = 10;
const LANES = 4;
const TIME_TO_END = 120_000;

/** Which process is killed, and how long after it works. */
interface Strike {
  readonly slot: number;
  /** Milliseconds. */
  readonly after: number;
}

/** Has a job enqueued. */
type Order = (scene: ChaosScene) => Promise<void>;

/** Kills random workers -9, again and again, while jobs are enqueued and worked. */
export async function kill(request: ChaosRequest): Promise<ChaosReport> {
  const { seed, jobs, workers, kills } = request;
  const random = seededRandom(seed);
  const orders = Array.from({ length: jobs }, (_, n) => drawOrders(random, n)).flat();
  const strikes = Array.from({ length: kills }, () => drawStrike(random, workers));
  const scene = await ChaosScene.open(request, CONCURRENCY);
  try {
    const killedAt = new Map<number, number>();
    for (const [n, strike] of strikes.entries()) {
      const share = orders.slice(
        Math.floor((n * orders.length) / kills),
        Math.floor(((n + 1) * orders.length) / kills),
      );
      await scene.fleet.whenReady(strike.slot);
      const enqueued = enqueueDuring(strike.after, share, scene);
      await pause(strike.after);
      killedAt.set(scene.fleet.pidIn(strike.slot), clock());
      await scene.fleet.kill(strike.slot);
      await enqueued;
    }
    return await verdict(scene, request, killedAt);
  } finally {
    await scene.close();
  }
}

async function verdict(
  scene: ChaosScene,
  { kills }: ChaosRequest,
  killedAt: ReadonlyMap<number, number>,
): Promise<ChaosReport> {
  const evidence = await scene.whenAllEnded(TIME_TO_END);
  const { entries, stored } = evidence;
  const { counts, promises } = auditDelivery(evidence);
  const payments = auditPayments({ ...evidence, killedAt });
  const ends = new Set(ofKind(entries, 'finished').map(({ id, attempt }) => `${id} ${attempt}`));
  const interrupted = ofKind(entries, 'run').filter(
    ({ id, attempt, pid }) => killedAt.has(pid) && !ends.has(`${id} ${attempt}`),
  );
  const idle = [
    ...(interrupted.length === 0 ? ['none of the killed processes was in the middle of a task'] : []),
    ...(payments.counts['payments_interrupted'] === 0 ? ['none was in the middle of a payment'] : []),
  ];
  const { deaths, endedByThemselves } = scene.fleet;
  const acknowledged = counts['acknowledged']! + payments.counts['payment_jobs']!;
  return {
    counts: { ...counts, ...payments.counts, kills: killedAt.size, interrupted_runs: interrupted.length },
    broken: brokenOnly({
      ...promises,
      ...payments.promises,
      'The store has no other jobs than the acknowledged':
        stored === acknowledged ? [] : [`${stored} instead of ${acknowledged}`],
      'Workers end only when they are killed': endedByThemselves,
      'The run kills what works': [...idle, ...(deaths === kills ? [] : [`${deaths} of ${kills} died`])],
    }),
    directory: scene.directory,
  };
}

/** One after the other in a few lanes, spread over that many milliseconds. */
async function enqueueDuring(time: number, orders: readonly Order[], scene: ChaosScene): Promise<void> {
  const gap = (time * LANES) / Math.max(orders.length, 1);
  const lane = async (first: number): Promise<void> => {
    for (let n = first; n < orders.length; n += LANES) {
      await orders[n]!(scene);
      await pause(gap);
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)));
}

/** One piece of work, and now and then a payment. Standing side by side, the jobs of a payment come from different lanes. */
function drawOrders(random: SeededRandom, n: number): Order[] {
  const work = { n, takes: random.between(0, 250), throwsFirst: random.chance(0.1), followUp: random.chance(0.1) };
  const payments = random.chance(0.2) ? drawPayment(random, n) : [];
  return [
    async ({ jobs, ledger }) => {
      const { id } = await jobs.enqueue(task(ChaosTasks, 'work'), work);
      ledger.append({ what: 'acknowledged', id, expected: expectedValue(n) });
    },
    ...payments.map(
      (payment): Order =>
        ({ jobs, ledger }) =>
          enqueuePayment(jobs, ledger, payment),
    ),
  ];
}

function drawStrike(random: SeededRandom, workers: number): Strike {
  return { slot: random.between(0, workers - 1), after: random.between(200, 400) };
}
