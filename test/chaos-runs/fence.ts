import { task } from '../../libs/jobs/src/index.js';
import { eventually } from '../support/eventually.js';
import { brokenOnly, ChaosScene, type ChaosReport, type ChaosRequest } from './chaos-run.js';
import { ofKind } from './delivery-audit.js';
import { auditFence } from './fence-audit.js';
import { FencedResource } from './fenced-resource.js';
import { FencedTasks, type WriteOrder } from './fenced-tasks.js';
import { runsAnother } from './freeze.js';
import type { LedgerEntry } from './ledger.js';
import { seededRandom } from './seeded-random.js';

/** Milliseconds. Longer than a lock, which is mostly lost alone then; a job that is lost as well is waited for. */
const LEASE = 3_000;
const TIME_TO_END = 60_000;
const PATIENCE = { timeout: 60_000 };

/** When the frozen process goes on: who has written meanwhile, and who has the lock. */
const MOMENTS = [
  'another job has written and has the lock',
  'several others have written',
  'another run of its own job has written and has the lock',
] as const;
type Moment = (typeof MOMENTS)[number];

/** Freezes a worker that has a lock until others have had it, and has it write then, with the token that it had. */
export async function fence(request: ChaosRequest): Promise<ChaosReport> {
  const first = seededRandom(request.seed).between(0, MOMENTS.length - 1);
  const scene = await ChaosScene.open(request, 1, { lease: LEASE });
  const resource = await FencedResource.open(scene.ledger);
  try {
    const idle: string[] = [];
    for (let n = 0; n < request.jobs; n++) {
      const moment = MOMENTS[(first + n) % MOMENTS.length]!;
      const { holder, worksAgain } = await new Freeze(scene, resource.url, `resource-${n}`).until(moment);
      if (!worksAgain) idle.push(holder);
    }
    const ids = ofKind(scene.entries(), 'writer').map(({ id }) => id);
    const statuses = await scene.finalStatuses(ids, TIME_TO_END);
    const { counts, promises } = auditFence({ entries: scene.entries(), statuses });
    return {
      counts,
      broken: brokenOnly({
        ...promises,
        'A thawed worker works again': idle,
        'Workers end only when they are told to': scene.fleet.endedByThemselves,
      }),
      directory: scene.directory,
    };
  } finally {
    await resource.close();
    await scene.close();
  }
}

class Freeze {
  constructor(
    private readonly scene: ChaosScene,
    private readonly url: string,
    private readonly key: string,
  ) {}

  async until(moment: Moment): Promise<{ holder: string; worksAgain: boolean }> {
    const { scene } = this;
    const { fleet } = scene;
    const holder = await this.enqueue('freezes');
    const { pid: frozen } = await this.entry(({ what, id }) => what === 'locked' && id === holder);
    const next = await this.waiter('stays');
    const others = [await this.waiter('passes'), await this.waiter('passes')];
    fleet.signal(frozen, 'SIGSTOP');
    await this.written(next);
    if (moment !== 'another job has written and has the lock') {
      await this.telling([next], () => Promise.all(others.map((other) => this.written(other))));
    }
    if (moment === 'another run of its own job has written and has the lock') await this.written(holder);
    fleet.tell(holder, frozen);
    fleet.signal(frozen, 'SIGCONT');
    await this.entry((entry) => entry.what === 'left' && entry.id === holder && entry.pid === frozen);
    // Having run another job, it has given up what it thought to have. Nobody may get in by that.
    const worksAgain = await runsAnother(scene, frozen);
    const last = await this.waiter('passes');
    await this.telling([holder, next], () => scene.finalStatuses([holder, next, ...others, last], TIME_TO_END));
    return { holder, worksAgain };
  }

  private async enqueue(does: WriteOrder['does']): Promise<string> {
    const { key, url, scene } = this;
    const { id } = await scene.jobs.enqueue(task(FencedTasks, 'write'), { key, url, does });
    scene.ledger.append({ what: 'writer', id, key, freezes: does === 'freezes' });
    return id;
  }

  /** Another job, once it stands in the line or did not have to. */
  private async waiter(does: WriteOrder['does']): Promise<string> {
    const id = await this.enqueue(does);
    await eventually(async () => {
      const { waitingFor, terminal } = await this.scene.jobs.job(id).status();
      return terminal || waitingFor?.kind === 'lock';
    }, PATIENCE);
    return id;
  }

  private written(job: string): Promise<LedgerEntry> {
    return this.entry((entry) => entry.what === 'write' && entry.id === job && entry.accepted);
  }

  private entry(isThat: (entry: LedgerEntry) => boolean): Promise<LedgerEntry> {
    return eventually(() => this.scene.entries().find(isThat) ?? null, PATIENCE);
  }

  /** Lets whoever has these jobs go on meanwhile: it may be another process by now. */
  private async telling<T>(jobs: readonly string[], work: () => Promise<T>): Promise<T> {
    const timer = setInterval(() => jobs.forEach((job) => this.scene.fleet.tell(job)), 50);
    return work().finally(() => clearInterval(timer));
  }
}
