import { setTimeout as pause } from 'node:timers/promises';
import { task } from '../../libs/jobs/src/index.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest } from './chaos-run.js';
import { ChaosTasks, expectedValue, type WorkOrder } from './chaos-tasks.js';
import { auditDelivery, ofKind } from './delivery-audit.js';
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

/** Kills random workers -9, again and again, while jobs are enqueued and worked. */
export async function kill(request: ChaosRequest): Promise<ChaosReport> {
  const { seed, jobs, workers, kills } = request;
  const random = seededRandom(seed);
  const orders = Array.from({ length: jobs }, (_, n) => drawOrder(random, n));
  const strikes = Array.from({ length: kills }, () => drawStrike(random, workers));
  const scene = await ChaosScene.open(request, CONCURRENCY);
  try {
    const hits: number[] = [];
    for (const [n, strike] of strikes.entries()) {
      const share = orders.slice(Math.floor((n * jobs) / kills), Math.floor(((n + 1) * jobs) / kills));
      await scene.fleet.whenReady(strike.slot);
      const enqueued = enqueueDuring(strike.after, share, scene);
      await pause(strike.after);
      hits.push(scene.fleet.pidIn(strike.slot));
      await scene.fleet.kill(strike.slot);
      await enqueued;
    }
    return await verdict(scene, request, hits);
  } finally {
    await scene.close();
  }
}

async function verdict(scene: ChaosScene, { kills }: ChaosRequest, hits: readonly number[]): Promise<ChaosReport> {
  const evidence = await scene.whenAllEnded(TIME_TO_END);
  const { entries } = evidence;
  const { counts, promises } = auditDelivery(evidence);
  const ends = new Set(ofKind(entries, 'finished').map(({ id, attempt }) => `${id} ${attempt}`));
  const killed = new Set(hits);
  const interrupted = ofKind(entries, 'run').filter(
    ({ id, attempt, pid }) => killed.has(pid) && !ends.has(`${id} ${attempt}`),
  );
  const idle = interrupted.length === 0 ? ['none of the killed processes was in the middle of a task'] : [];
  const { deaths, endedByThemselves } = scene.fleet;
  return {
    counts: { ...counts, kills: hits.length, interrupted_runs: interrupted.length },
    broken: brokenOnly({
      ...promises,
      'The store has no other jobs than the acknowledged':
        counts['stored'] === counts['acknowledged'] ? [] : ['(count)'],
      'Workers end only when they are killed': endedByThemselves,
      'The run kills what works': [...idle, ...(deaths === kills ? [] : [`${deaths} of ${kills} died`])],
    }),
    directory: scene.directory,
  };
}

/** One after the other in a few lanes, spread over that many milliseconds. */
async function enqueueDuring(time: number, orders: readonly WorkOrder[], scene: ChaosScene): Promise<void> {
  const gap = (time * LANES) / Math.max(orders.length, 1);
  const lane = async (first: number): Promise<void> => {
    for (let n = first; n < orders.length; n += LANES) {
      const order = orders[n]!;
      const { id } = await scene.jobs.enqueue(task(ChaosTasks, 'work'), order);
      scene.ledger.append({ what: 'acknowledged', id, expected: expectedValue(order.n) });
      await pause(gap);
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)));
}

function drawOrder(random: SeededRandom, n: number): WorkOrder {
  return { n, takes: random.between(0, 250), throwsFirst: random.chance(0.1), followUp: random.chance(0.1) };
}

function drawStrike(random: SeededRandom, workers: number): Strike {
  return { slot: random.between(0, workers - 1), after: random.between(200, 400) };
}
