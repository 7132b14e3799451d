import { startAlone, type Alone } from './alone.js';
import type { FollowRequest, Tally } from './follow-jobs.js';
import type { DriveReport, MemoryReport, WatchedRequest } from './serve-watched.js';
import type { Store, StoreName } from './stores.js';

/** Jobs that report progress every few seconds, and jobs that wait for a worker: each has a client. */
const REPORTS = 400;
const PENDING = 100;
export const CLIENTS = REPORTS + PENDING;
/** Timed jobs a second. An embedded database has the jobs that report to work as well. */
const PACE: Record<StoreName, number> = { redis: 100, postgres: 100, embedded: 20 };
/** Seconds of timed jobs, by default. */
const TIMED = 12;
/** Not timed, of as many as are timed. */
const WARM_UP = 0.5;
/** Of the clients whose jobs report, and of the progress that was reported. */
const LEAST_TOLD = 0.98;
const LEAST_EVENTS = 0.9;

/** Times of coming and going after which the memory is looked at. */
export const CHURNED = [2, 10] as const;

export interface LiveReport extends DriveReport {
  /** Events a second that the clients got, all together. */
  readonly messages: number;
}

export interface ChurnReport {
  readonly before: MemoryReport;
  readonly after: MemoryReport;
}

/** How long an enqueue takes and what the process computes, while it has clients or has none. */
export async function measureLive(
  store: Store,
  { clients, jobs, seed }: { readonly clients: boolean; readonly jobs: number | undefined; readonly seed: number },
): Promise<LiveReport> {
  const rate = PACE[store.name];
  const timed = jobs ?? TIMED * rate;
  return withServer(store, seed, async ({ server, worker, follow }) => {
    const following = clients ? await follow() : undefined;
    await server.ask({ step: 'drive', jobs: Math.ceil(timed * WARM_UP), rate, seed: seed + 1 });
    await following?.ask({ step: 'tally' });
    const toldBefore = (await worker.ask({ step: 'told' })) as number;
    const driven = (await server.ask({ step: 'drive', jobs: timed, rate, seed })) as DriveReport;
    const told = ((await worker.ask({ step: 'told' })) as number) - toldBefore;
    if (!following) return { ...driven, messages: 0 };
    const tallies = (await following.ask({ step: 'tally' }))!;
    assertTold(tallies, told);
    return { ...driven, messages: eventsOf(tallies) / driven.seconds };
  });
}

/** The memory of a process to which the same number of clients have come and gone a few times, and many times. */
export async function measureChurn(store: Store, seed: number): Promise<ChurnReport> {
  return withServer(store, seed, async ({ server, follow }) => {
    const seen: MemoryReport[] = [];
    for (let times = 1; times <= CHURNED[1]; times++) {
      const following = await follow();
      await following.ask({ step: 'leave' });
      // Each time: what is collected late is grown for, and that is not what is looked for.
      seen.push((await server.ask({ step: 'memory' })) as MemoryReport);
    }
    const [few, many] = CHURNED.map((times) => seen[times - 1]!);
    return { before: few!, after: many! };
  });
}

interface Serving {
  readonly server: Alone<WatchedRequest, unknown>;
  /** The same process where the store cannot be shared. */
  readonly worker: Alone<WatchedRequest, unknown>;
  /** All clients come. */
  readonly follow: () => Promise<Alone<FollowRequest, readonly Tally[] | undefined>>;
}

/** Server, worker and clients have a process each. */
async function withServer<T>(store: Store, seed: number, use: (serving: Serving) => Promise<T>): Promise<T> {
  await store.clear();
  const address = { name: store.name, location: store.location };
  const isShared = store.name !== 'embedded';
  const [appModule, clientsModule] = ['./serve-watched.js', './follow-jobs.js'].map(
    (path) => new URL(path, import.meta.url),
  );
  const server = startAlone<WatchedRequest, unknown>(appModule!);
  const begin = { step: 'begin', store: address, reports: REPORTS } as const;
  const url = (await server.ask({ ...begin, serves: true, works: !isShared })) as string;
  const worker = isShared ? startAlone<WatchedRequest, unknown>(appModule!) : server;
  if (isShared) await worker.ask({ ...begin, serves: false, works: true });
  const ids = (await server.ask({ step: 'fill', reports: REPORTS, pending: PENDING, seed })) as string[];
  await worker.ask({ step: 'reporting', reports: REPORTS });
  const clients = startAlone<FollowRequest, readonly Tally[] | undefined>(clientsModule!);
  const follow = async (): Promise<typeof clients> => {
    await clients.ask({ step: 'come', url, ids });
    return clients;
  };
  const answer = await use({ server, worker, follow });
  await clients.ask({ step: 'leave' });
  await clients.end();
  for (const each of new Set([server, worker])) {
    await each.ask({ step: 'stop' });
    await each.end();
  }
  return answer;
}

/** Clients that were told nothing cost nothing. Those whose jobs report come first. */
function assertTold(tallies: readonly Tally[], told: number): void {
  const progress = tallies.slice(0, REPORTS).map((tally) => tally['progress'] ?? 0);
  const share = progress.filter((count) => count > 0).length / REPORTS;
  const events = progress.reduce((sum, count) => sum + count, 0);
  if (share >= LEAST_TOLD && events >= told * LEAST_EVENTS) return;
  throw new Error(`Of ${told} reports the clients got ${events}, and ${Math.round(share * 100)} % of them got any.`);
}

function eventsOf(tallies: readonly Tally[]): number {
  return tallies.flatMap((tally) => Object.values(tally)).reduce((sum, count) => sum + count, 0);
}
