import { task, type JobStatus } from '../../libs/jobs/src/index.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest } from './chaos-run.js';
import { ChaosTasks, expectedValue, POISON_ATTEMPTS } from './chaos-tasks.js';
import { auditDelivery, ofKind } from './delivery-audit.js';
import { seededRandom } from './seeded-random.js';

const CONCURRENCY = 5;
const OTHERS_PER_POISON = 20;
const TIME_TO_END = 120_000;

/** Jobs that kill their process in every run, among others, under a supervisor that starts the process again. */
export async function poison(request: ChaosRequest): Promise<ChaosReport> {
  const random = seededRandom(request.seed);
  const scene = await ChaosScene.open(request, CONCURRENCY);
  try {
    const poisoned: string[] = [];
    for (let n = 0; n < request.jobs; n++) {
      // Every second one, so that failed attempts and stalls come together in one job whatever the seed.
      const { id } = await scene.jobs.enqueue(task(ChaosTasks, 'poison'), { throwsFirst: n % 2 === 1 });
      poisoned.push(id);
      for (let other = 0; other < OTHERS_PER_POISON; other++) {
        const order = { n: n * OTHERS_PER_POISON + other, takes: random.between(0, 250) };
        const work = await scene.jobs.enqueue(task(ChaosTasks, 'work'), order);
        scene.ledger.append({ what: 'acknowledged', id: work.id, expected: expectedValue(order.n) });
      }
    }
    return await verdict(scene, poisoned);
  } finally {
    await scene.close();
  }
}

async function verdict(scene: ChaosScene, poisoned: readonly string[]): Promise<ChaosReport> {
  const others = ofKind(scene.entries(), 'acknowledged').map(({ id }) => id);
  const statuses = await scene.finalStatuses([...others, ...poisoned], TIME_TO_END);
  const isPoisoned = (id: string): boolean => poisoned.includes(id);
  const entries = scene.entries();
  const { counts, promises } = auditDelivery({
    entries: entries.filter(({ id }) => !isPoisoned(id)),
    statuses,
    stored: (await scene.storedJobs()) - poisoned.length,
  });
  const attemptsOf = (id: string): number[] =>
    ofKind(entries, 'run').flatMap((entry) => (entry.id === id ? [entry.attempt] : []));
  const isInOrder = (attempts: readonly number[]): boolean =>
    attempts.every((attempt, n) => attempt > (attempts[n - 1] ?? 0) && attempt <= POISON_ATTEMPTS);
  const { deaths, endedByThemselves } = scene.fleet;
  const runs = poisoned.map((id) => attemptsOf(id).length).reduce((sum, count) => sum + count, 0);
  return {
    counts: {
      ...counts,
      poisoned: poisoned.length,
      poisoned_failed: poisoned.filter((id) => isStalled(statuses.get(id))).length,
      poisoned_runs: runs,
      deaths,
    },
    broken: brokenOnly({
      ...promises,
      'Poison ends failed with JobStalledError': poisoned.filter((id) => !isStalled(statuses.get(id))),
      'Poison has all its attempts': poisoned.filter((id) => statuses.get(id)?.attempt !== POISON_ATTEMPTS),
      // One may be missing: fetched, and killed by other poison before its method was called.
      'Poison is run once in each attempt, and no more': poisoned.filter((id) => !isInOrder(attemptsOf(id))),
      'Nothing else ends a worker': endedByThemselves,
      'The run has poison in it': deaths === 0 ? ['no process died'] : [],
    }),
    directory: scene.directory,
  };
}

function isStalled(status: JobStatus | null | undefined): boolean {
  return status?.state === 'failed' && status.error?.name === 'JobStalledError';
}
