import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest, type ChaosServer } from './chaos-run.js';
import { HealthWatch } from './health-watch.js';
import { clock, millisecondsBetween } from './ledger.js';
import { auditLoad, inFlight, isBusy, oddRefusals } from './load-audit.js';
import { Producer } from './producer.js';
import { seededRandom } from './seeded-random.js';

export interface BackendRequest extends Omit<ChaosRequest, 'kills'> {
  /** Loses nothing that it has answered. */
  readonly server: ChaosServer;
  /** How long it is away each time, in seconds. */
  readonly outages: readonly number[];
}

const CONCURRENCY = 10;
const TIME_TO_END = 120_000;
/** Milliseconds; a health check of a store that is away takes that long. */
const CONNECT_TIMEOUT = 500;
/** Milliseconds from the store's return until every worker has begun a job. */
const TIME_TO_RESUME = 10_000;

interface Outage {
  readonly seconds: number;
  readonly inFlight: number;
  readonly resumedAfter: number;
  readonly wellAfter: number;
  /** What health said meanwhile. */
  readonly said: readonly number[];
}

/** Kills the store -9 while workers and a producer are at work, and starts it again after a while. */
export async function backend(request: BackendRequest): Promise<ChaosReport> {
  const { seed, jobs, outages } = request;
  const random = seededRandom(seed);
  const scene = await ChaosScene.open(request, CONCURRENCY, { servesHealth: true, connectTimeout: CONNECT_TIMEOUT });
  const health = new HealthWatch(() => scene.fleet.healthUrl);
  const producer = new Producer(scene.jobs, scene.ledger, seed);
  try {
    const witnessed: Outage[] = [];
    for (const [n, seconds] of outages.entries()) {
      const share = (part: number): number => Math.floor((jobs * (n + part)) / outages.length);
      await producer.untilAcknowledged(share(random.between(20, 80) / 100));
      witnessed.push(await outage(scene, health, request.server, seconds));
      await producer.untilAcknowledged(share(1));
    }
    await producer.stop();
    return await verdict(scene, witnessed);
  } finally {
    await health.stop();
    await scene.close();
  }
}

async function outage(scene: ChaosScene, health: HealthWatch, server: ChaosServer, seconds: number): Promise<Outage> {
  const { fleet } = scene;
  await health.wellAfter(clock());
  await eventually(() => isBusy(scene.entries(), fleet.pids), { timeout: 30_000, interval: 10 });
  const killedAt = clock();
  await server.kill();
  const goneAt = clock();
  await pause(seconds * 1_000);
  await health.answeredAfter(goneAt);
  const said = health.saidBetween(goneAt, clock());
  await server.restart();
  const backAt = clock();
  const [resumed, well] = await Promise.all([
    Promise.all(fleet.pids.map((pid) => scene.firstRunAfter(pid, backAt))),
    health.wellAfter(backAt),
  ]);
  return {
    seconds,
    inFlight: inFlight(scene.entries(), fleet.pids, killedAt, goneAt).length,
    resumedAfter: millisecondsBetween(backAt, Math.max(...resumed)),
    wellAfter: millisecondsBetween(backAt, well),
    said,
  };
}

async function verdict(scene: ChaosScene, outages: readonly Outage[]): Promise<ChaosReport> {
  const { counts, promises } = auditLoad(await scene.whenAllEnded(TIME_TO_END));
  const named = (chosen: (outage: Outage) => boolean): string[] =>
    outages
      .filter(chosen)
      .map(({ seconds, resumedAfter }) => `away for ${seconds} s, resumed after ${resumedAfter} ms`);
  const { deaths, endedByThemselves } = scene.fleet;
  return {
    counts: {
      ...counts,
      in_flight_at_kill: outages.reduce((sum, { inFlight: count }) => sum + count, 0),
      ...Object.fromEntries(
        outages.flatMap(({ seconds, resumedAfter, wellAfter }, n) => [
          [`outage_${n + 1}_seconds`, seconds],
          [`outage_${n + 1}_resumed_ms`, resumedAfter],
          [`outage_${n + 1}_health_200_ms`, wellAfter],
        ]),
      ),
    },
    broken: brokenOnly({
      ...promises,
      'A refused enqueue says that the store is away': oddRefusals(scene.entries()),
      'Every worker process consumes again within 10 s of the return of the store': named(
        ({ resumedAfter }) => resumedAfter > TIME_TO_RESUME,
      ),
      'Health is 503 while the store is away': outages
        .filter(({ said }) => said.length !== 1 || said[0] !== 503)
        .map(({ said }) => `said ${said.join(', ') || 'nothing'}`),
      'Workers end only when they are told to': [...endedByThemselves, ...(deaths > 0 ? [`${deaths} died`] : [])],
      'The store dies under load': named(({ inFlight: count }) => count === 0),
    }),
    directory: scene.directory,
  };
}
