import { isDeepStrictEqual } from 'node:util';
import { task, type JobHandle } from '../../libs/jobs/src/index.js';
import { eventually } from '../support/eventually.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest } from './chaos-run.js';
import { ChaosTasks, LATE_LINE, lateJobId, type FreezeResult } from './chaos-tasks.js';
import { ofKind } from './delivery-audit.js';
import type { LateCall } from './ledger.js';
import { seededRandom } from './seeded-random.js';

type LateDeed = LateCall | 'result';
const LATE_CALLS: readonly LateCall[] = ['progress', 'log', 'enqueue'];
const LATE_DEEDS: readonly LateDeed[] = [...LATE_CALLS, 'result'];
/** What a run fails on. All are counted. */
const PROMISED: readonly LateDeed[] = LATE_DEEDS;

/** When the frozen process goes on. */
type Moment = 'during the second run' | 'after the second run';
const MOMENTS: readonly Moment[] = ['during the second run', 'after the second run'];

interface Thaw {
  readonly id: string;
  /** What of the late run has come through. */
  readonly accepted: readonly LateDeed[];
  readonly worksAgain: boolean;
}

/** Freezes a worker in the middle of a job, lets another process take the job over, and thaws the first. */
export async function freeze(request: ChaosRequest): Promise<ChaosReport> {
  const first = seededRandom(request.seed).between(0, 1);
  const scene = await ChaosScene.open(request, 1);
  try {
    const thaws: Thaw[] = [];
    for (let n = 0; n < request.jobs; n++) thaws.push(await freezeOnce(scene, MOMENTS[(first + n) % 2]!));
    const late = ofKind(scene.entries(), 'late');
    const idsOf = (chosen: (thaw: Thaw) => boolean): string[] => thaws.filter(chosen).map(({ id }) => id);
    const acceptedOf = (deed: LateDeed): string[] => idsOf(({ accepted }) => accepted.includes(deed));
    const triedAll = ({ id }: Thaw): boolean =>
      LATE_CALLS.every((call) => late.some((entry) => entry.id === id && entry.call === call));
    return {
      counts: Object.fromEntries([
        ['frozen', thaws.length],
        ...LATE_DEEDS.map((deed) => [`late_${deed}_refused`, thaws.length - acceptedOf(deed).length] as const),
        ...LATE_CALLS.map(
          (call) => [`late_${call}_threw`, late.filter((entry) => entry.call === call && entry.error).length] as const,
        ),
      ]),
      broken: brokenOnly({
        ...Object.fromEntries(PROMISED.map((deed) => [`A late ${deed} is refused`, acceptedOf(deed)])),
        'The run tries all late calls': idsOf((thaw) => !triedAll(thaw)),
        'A thawed worker works again': idsOf(({ worksAgain }) => !worksAgain),
        'Workers end only when they are told to': scene.fleet.endedByThemselves,
      }),
      directory: scene.directory,
    };
  } finally {
    await scene.close();
  }
}

async function freezeOnce(scene: ChaosScene, moment: Moment): Promise<Thaw> {
  const { fleet } = scene;
  const job = await scene.jobs.enqueue(task(ChaosTasks, 'freeze'));
  const { pid: frozen } = await scene.runOf(job.id, 1);
  fleet.signal(frozen, 'SIGSTOP');
  await scene.runOf(job.id, 2);
  if (moment === 'after the second run') await untilEnded(scene, job);
  fleet.tell(job.id, frozen);
  fleet.signal(frozen, 'SIGCONT');
  const worksAgain = await runsAnother(scene, frozen);
  await untilEnded(scene, job);
  return { id: job.id, accepted: await acceptedDeeds(scene, job), worksAgain };
}

/** Lets whoever has the job go on. A machine under load may have made it a third process. */
async function untilEnded({ fleet }: ChaosScene, job: JobHandle<FreezeResult>): Promise<void> {
  const telling = setInterval(() => fleet.tell(job.id), 50);
  await job.result({ timeout: '1m' }).finally(() => clearInterval(telling));
}

/** A process that runs another job has heard what the store answered to all that its late run said. */
export function runsAnother(scene: ChaosScene, pid: number): Promise<boolean> {
  const look = async (): Promise<boolean> => {
    const { id } = await scene.jobs.enqueue(task(ChaosTasks, 'work'), { n: 0, takes: 0 });
    const run = await scene.runOf(id, 1);
    return run.pid === pid;
  };
  return eventually(look, { timeout: 30_000 }).then(
    () => true,
    () => false,
  );
}

/** The store is asked, not the run: it may have been told that a call was refused which was not, or the reverse. */
async function acceptedDeeds(scene: ChaosScene, job: JobHandle<FreezeResult>): Promise<LateDeed[]> {
  const { jobs } = scene;
  const { progress, attempt, state, result } = await job.status();
  const { pid } = await scene.runOf(job.id, Math.max(attempt, 2));
  const rightful: FreezeResult = { attempt, pid };
  const { logs } = await jobs.queue('default').getJobLogs(job.id);
  const lateJob = `default_${lateJobId(job.id)}`;
  const isThere: Record<LateDeed, boolean> = {
    result: !isDeepStrictEqual(result, rightful) || attempt === 1 || state !== 'succeeded',
    progress: !isDeepStrictEqual(progress, rightful),
    log: logs.includes(LATE_LINE),
    enqueue: (await jobs.statuses([lateJob]))[lateJob] !== null,
  };
  return LATE_DEEDS.filter((deed) => isThere[deed]);
}
