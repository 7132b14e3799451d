import { task, type JobStatus } from '../../libs/jobs/src/index.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest } from './chaos-run.js';
import { ChaosTasks, expectedValue, FAILURES, POISON_ATTEMPTS, poisonHandlerJobId } from './chaos-tasks.js';
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
      // Every second one and the last, so that failed attempts and stalls come together in one job whatever the seed.
      const throwsFirst = (request.jobs - n) % 2 === 1;
      const { id } = await scene.jobs.enqueue(task(ChaosTasks, 'poison'), { throwsFirst });
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
  const handlers = await scene.finalStatuses(poisoned.map(poisonHandlerJobId), TIME_TO_END);
  const isHandled = (id: string): boolean => handlers.get(poisonHandlerJobId(id))?.state === 'succeeded';
  const handled = ofKind(scene.entries(), 'handled').filter(({ error }) => error === 'JobStalledError');
  // Killed by other poison, a handler runs again, and that is another attempt of it.
  const isToldOnce = (id: string): boolean => {
    const attempts = handled.flatMap((entry) => (entry.id === id ? [entry.attempt] : []));
    return attempts.length > 0 && attempts.every((attempt, n) => attempt > (attempts[n - 1] ?? 0));
  };
  const letters = await scene.jobs.deadLetters.list({ task: 'chaos.poison', error: 'JobStalledError', limit: 100 });
  const inLetters = new Set(letters.letters.map(({ id }) => id));
  const { deaths, endedByThemselves } = scene.fleet;
  const runs = poisoned.map((id) => attemptsOf(id).length).reduce((sum, count) => sum + count, 0);
  return {
    counts: {
      ...counts,
      poisoned: poisoned.length,
      poisoned_failed: poisoned.filter((id) => isStalled(statuses.get(id))).length,
      poisoned_runs: runs,
      poisoned_handled: poisoned.filter(isHandled).length,
      deaths,
    },
    broken: brokenOnly({
      ...promises,
      'Poison ends failed with JobStalledError': poisoned.filter((id) => !isStalled(statuses.get(id))),
      'Poison has all its attempts': poisoned.filter((id) => statuses.get(id)?.attempt !== POISON_ATTEMPTS),
      // One may be missing: fetched, and killed by other poison before its method was called.
      'Poison is run once in each attempt, and no more': poisoned.filter((id) => !isInOrder(attemptsOf(id))),
      'Poison is among the dead letters': poisoned.filter((id) => !inLetters.has(id)),
      'Poison has one handler job, which ends well': poisoned.filter((id) => !isHandled(id)),
      'A handler is told of poison once in each attempt of its own': poisoned.filter((id) => !isToldOnce(id)),
      'No other handler job is made':
        (await scene.storedJobs(FAILURES)) === poisoned.length ? [] : [await scene.storedJobs(FAILURES)].map(String),
      'Nothing else ends a worker': endedByThemselves,
      'The run has poison in it': deaths === 0 ? ['no process died'] : [],
    }),
    directory: scene.directory,
  };
}

function isStalled(status: JobStatus | null | undefined): boolean {
  return status?.state === 'failed' && status.error?.name === 'JobStalledError';
}
