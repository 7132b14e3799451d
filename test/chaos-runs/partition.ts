import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { TcpProxy, type ProxySide } from '../support/tcp-proxy.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest, type ChaosServer } from './chaos-run.js';
import { HealthWatch } from './health-watch.js';
import { clock, millisecondsBetween } from './ledger.js';
import { auditLoad, inFlight, isBusy, oddRefusals } from './load-audit.js';
import { Producer } from './producer.js';
import { seededRandom, type SeededRandom } from './seeded-random.js';

export interface PartitionRequest extends Omit<ChaosRequest, 'kills'> {
  readonly server: Pick<ChaosServer, 'port'>;
  /** How long the network fails, in seconds. */
  readonly seconds: number;
}

const CONCURRENCY = 10;
const TIME_TO_END = 120_000;
const CONNECT_TIMEOUT = 500;
/** Milliseconds, from and to; the shortest when there is no time for more. */
const FAULT_LASTS = [400, 4_000] as const;
const CALM_LASTS = [100, 1_000] as const;

const FAULTS = ['drop', 'refuse', 'delay', 'half-close', 'swallow all', 'swallow one side'] as const;
type Fault = (typeof FAULTS)[number];
const FULL_CUTS: readonly Fault[] = ['refuse', 'swallow all'];

interface Episode {
  readonly fault: Fault;
  /** Milliseconds, as all times here. */
  readonly lasts: number;
  readonly calmAfter: number;
  readonly side: ProxySide;
  readonly delay: number;
}

interface Witnessed extends Episode {
  readonly inFlight: number;
  /** What health said while it lasted. */
  readonly said: readonly number[];
}

/** Has workers and producer reach the store through a network that fails in one way after the other. */
export async function partition(request: PartitionRequest): Promise<ChaosReport> {
  const random = seededRandom(request.seed);
  const episodes = drawEpisodes(random, request.seconds * 1_000);
  const proxy = await TcpProxy.to(request.server.port);
  try {
    return await throughProxy(proxy, request, episodes);
  } finally {
    await proxy.close();
  }
}

async function throughProxy(
  proxy: TcpProxy,
  request: PartitionRequest,
  episodes: readonly Episode[],
): Promise<ChaosReport> {
  const url = new URL(request.store.connection as string);
  url.port = `${proxy.port}`;
  const settings = { servesHealth: true, connectTimeout: CONNECT_TIMEOUT };
  const store = { ...request.store, connection: url.href };
  const scene = await ChaosScene.open({ ...request, store }, CONCURRENCY, settings);
  const health = new HealthWatch(() => scene.fleet.healthUrl);
  const producer = new Producer(scene.jobs, scene.ledger, request.seed);
  try {
    await producer.untilAcknowledged(Math.ceil(request.jobs / 10));
    await health.wellAfter(clock());
    const witnessed: Witnessed[] = [];
    for (const episode of episodes) witnessed.push(await fail(proxy, scene, health, episode));
    const healedAt = clock();
    const [wellAt, ...resumedAt] = await Promise.all([
      health.wellAfter(healedAt),
      ...scene.fleet.pids.map((pid) => scene.firstRunAfter(pid, healedAt)),
    ]);
    await producer.untilAcknowledged(request.jobs);
    await producer.stop();
    return await verdict(scene, witnessed, {
      healed_health_200_ms: millisecondsBetween(healedAt, wellAt),
      healed_resumed_ms: millisecondsBetween(healedAt, Math.max(...resumedAt)),
    });
  } finally {
    // A network that fails would let nothing close.
    proxy.thaw();
    await health.stop();
    await scene.close();
  }
}

async function fail(proxy: TcpProxy, scene: ChaosScene, health: HealthWatch, episode: Episode): Promise<Witnessed> {
  const { fleet } = scene;
  await eventually(() => isBusy(scene.entries(), fleet.pids), { timeout: 60_000, interval: 10 });
  const beganAt = clock();
  begin(proxy, episode);
  const said = await lasting(proxy, health, episode);
  // Bytes that were lost make a connection useless, as the peer's reset does when the network is back.
  if (episode.fault.startsWith('swallow')) proxy.thaw();
  else proxy.lift();
  const entries = scene.entries();
  await pause(episode.calmAfter);
  return { ...episode, said, inFlight: inFlight(entries, fleet.pids, beganAt, beganAt).length };
}

function begin(proxy: TcpProxy, { fault, side, delay }: Episode): void {
  if (fault === 'drop') proxy.cut();
  else if (fault === 'refuse') proxy.refuse();
  else if (fault === 'delay') proxy.delayBy(delay);
  else if (fault === 'half-close') proxy.halfClose(side);
  else if (fault === 'swallow one side') proxy.swallow(side);
  else proxy.freeze();
}

/** Connections that are made meanwhile are dropped and half-closed as well, again and again. */
async function lasting(proxy: TcpProxy, health: HealthWatch, episode: Episode): Promise<number[]> {
  const beganAt = clock();
  const until = performance.now() + episode.lasts;
  while (performance.now() < until) {
    await pause(Math.min(300, Math.max(0, until - performance.now())));
    if (episode.fault === 'drop' || episode.fault === 'half-close') begin(proxy, episode);
  }
  if (FULL_CUTS.includes(episode.fault)) await health.answeredAfter(beganAt);
  return health.saidBetween(beganAt, clock());
}

async function verdict(
  scene: ChaosScene,
  witnessed: readonly Witnessed[],
  healed: Readonly<Record<string, number>>,
): Promise<ChaosReport> {
  const { counts, promises } = auditLoad(await scene.whenAllEnded(TIME_TO_END));
  const { deaths, endedByThemselves } = scene.fleet;
  const cuts = witnessed.filter(({ fault }) => FULL_CUTS.includes(fault));
  return {
    counts: {
      ...counts,
      ...Object.fromEntries(
        FAULTS.map((fault) => [
          `${fault.replaceAll(/\W/g, '_')}_episodes`,
          witnessed.filter((episode) => episode.fault === fault).length,
        ]),
      ),
      in_flight_at_faults: witnessed.reduce((sum, { inFlight: count }) => sum + count, 0),
      ...healed,
    },
    broken: brokenOnly({
      ...promises,
      'A refused enqueue says that the store is away': oddRefusals(scene.entries()),
      'Health is 503 while the store is cut off': cuts
        .filter(({ said }) => said.length !== 1 || said[0] !== 503)
        .map(({ fault, said }) => `${fault}: said ${said.join(', ') || 'nothing'}`),
      'Workers end only when they are told to': [...endedByThemselves, ...(deaths > 0 ? [`${deaths} died`] : [])],
      'The network fails under load': witnessed
        .filter(({ inFlight: count }) => count === 0)
        .map(({ fault }) => `${fault}: nothing ran when it began`),
    }),
    directory: scene.directory,
  };
}

/** All faults in a drawn order, as often as there is time for, and at least once. */
function drawEpisodes(random: SeededRandom, time: number): Episode[] {
  const episodes: Episode[] = [];
  const isShort = time < FAULTS.length * FAULT_LASTS[1];
  let rest = time;
  while (rest > 0) {
    const faults = [...FAULTS];
    while (faults.length > 0) {
      const [fault] = faults.splice(random.between(0, faults.length - 1), 1);
      const lasts = isShort ? FAULT_LASTS[0] : random.between(...FAULT_LASTS);
      const calmAfter = isShort ? CALM_LASTS[0] : random.between(...CALM_LASTS);
      const side = random.chance(0.5) ? 'client' : 'server';
      episodes.push({ fault: fault!, lasts, calmAfter, side, delay: random.between(20, 150) });
      rest -= lasts + calmAfter;
    }
  }
  return episodes;
}
