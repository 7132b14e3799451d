import { once } from 'node:events';
import { Injectable } from '@nestjs/common';
import {
  AttemptEndedError,
  ClaimLostError,
  HardTimeLimitError,
  JobsRunner,
  Task,
  task,
  type JobContext,
  type JobHandle,
} from 'nestjs-jobs';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import type { TaskExecutor } from '../../libs/jobs/src/execution/task.executor.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

interface Claim {
  readonly token: string;
  readonly ts: number;
}

/** What is out of reach in the types. */
interface Inside {
  readonly lockManager: { readonly trackedJobs: Map<string, Claim> };
  readonly backend: { extendLocks: (...renewal: never[]) => Promise<unknown> };
}

@Injectable()
class Held {
  static begun: Record<number, Signal<JobContext>>;
  static ends: Record<number, Signal>;

  @Task({ retry: { attempts: 2 } })
  async run(_payload: undefined, job: JobContext): Promise<string> {
    return this.hold(job);
  }

  @Task({ retry: { attempts: 2 }, timeLimit: { soft: false, hard: 2_000 } })
  async limited(_payload: undefined, job: JobContext): Promise<string> {
    return this.hold(job);
  }

  private async hold(job: JobContext): Promise<string> {
    Held.begun[job.attempt]!.reach(job);
    await Held.ends[job.attempt]!.reached;
    return `attempt ${job.attempt}`;
  }
}

describe.each(backends)('a claim that is lost on $name', (backend) => {
  let started: JobsApp;
  let runner: { workers: Map<string, JobsWorker>; executor: TaskExecutor };
  let worker: JobsWorker;
  let claims: Map<string, Claim>;
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Held], options: { lease: '500ms' } });
    runner = started.app.get(JobsRunner) as unknown as typeof runner;
    worker = runner.workers.get('default')!;
    claims = (worker as unknown as Inside).lockManager.trackedJobs;
  });
  afterAll(() => started?.close());
  // One that fails must not leave its queue paused to those after it.
  afterEach(() => started.jobs.queue('default').resume());
  beforeEach(() => {
    Held.begun = { 1: signal<JobContext>(), 2: signal<JobContext>() };
    Held.ends = { 1: signal(), 2: signal() };
  });

  /** Renews the claim no more, as in a process that is frozen. */
  function freeze(job: { id: string }): Claim {
    const claim = claims.get(job.id)!;
    claims.delete(job.id);
    return claim;
  }

  /** Renews it again, as soon as can be. */
  function wake(job: { id: string }, claim: Claim): void {
    claims.set(job.id, { ...claim, ts: 1 });
  }

  async function begin(method: 'run' | 'limited'): Promise<{ job: JobHandle; context: JobContext }> {
    const job = await started.jobs.enqueue(task(Held, method));
    return { job, context: await Held.begun[1]!.reached };
  }

  /** The attempt is left behind, and none follows it. */
  async function loseToNobody(job: JobHandle): Promise<Claim> {
    await started.jobs.queue('default').pause();
    const stalled = once(worker, 'stalled');
    const claim = freeze(job);
    expect((await stalled)[0]).toBe(job.id);
    return claim;
  }

  /** What the executor makes of the next attempt that is begun with. */
  function outcomeOfFirst(before?: (job: { id: string }) => Promise<void>): Promise<unknown> {
    const { executor } = runner;
    const outcome = signal<unknown>();
    executor.execute = async (stored, tell) => {
      delete (executor as Partial<TaskExecutor>).execute;
      await before?.({ id: stored.id! });
      const made = await executor.execute(stored, tell);
      outcome.reach(made);
      return made;
    };
    return outcome.reached;
  }

  async function endWithSecond(job: JobHandle): Promise<void> {
    await started.jobs.queue('default').resume();
    for (const end of Object.values(Held.ends)) end.reach();
    expect(await job.result()).toBe('attempt 2');
    expect((await job.status()).attempts).toMatchObject([{ attempt: 1, stalled: true }, { attempt: 2 }]);
  }

  it('[C2] ends its attempt as soon as a renewal fails, also of a task that says nothing of its job', async () => {
    const { job, context } = await begin('run');
    const aborted = once(context.signal, 'abort');
    wake(job, await loseToNobody(job));
    await aborted;
    expect(context.signal.reason).toBeInstanceOf(ClaimLostError);
    await expect(context.progress(99)).rejects.toThrow(AttemptEndedError);
    await endWithSecond(job);
    expect(await job.status()).not.toHaveProperty('progress');
  });

  it('[C2] takes nothing from the attempt that has the job now, when it is the older claim of the same process', async () => {
    const { job } = await begin('run');
    const older = freeze(job);
    const context = await Held.begun[2]!.reached;
    const newer = claims.get(job.id)!;
    const failed = once(worker, 'lockRenewalFailed');
    wake(job, older);
    expect(await failed).toEqual([[job.id]]);
    wake(job, newer);
    // Asked by the handler before, which so has its answer.
    await context.verifyClaim();
    expect(context.signal.aborted).toBe(false);
    await context.progress(2);
    await endWithSecond(job);
    expect(await job.status()).toMatchObject({ progress: 2 });
  });

  it('[C2] before the attempt began lets nothing begin', async () => {
    // The process freezes between the fetch and the begin.
    const outcome = outcomeOfFirst(async (job) => {
      freeze(job);
      await Held.begun[2]!.reached;
    });
    const job = await started.jobs.enqueue(task(Held, 'run'));
    const begun = Held.begun[1]!.reached.then(() => 'begun');
    expect(await Promise.race([outcome, begun])).toEqual({ kind: 'lost' });
    await endWithSecond(job);
  });

  it('[C2] is also asked after when the hard limit ends the attempt: nothing is said of it', async () => {
    const outcome = outcomeOfFirst();
    const { job, context } = await begin('limited');
    freeze(job);
    await Held.begun[2]!.reached;
    Held.ends[2]!.reach();
    expect(await outcome).toEqual({ kind: 'lost' });
    expect(context.signal.reason).toBeInstanceOf(HardTimeLimitError);
    await endWithSecond(job);
  });

  it('[C2] is held no longer than from when its renewal was asked for, however late the answer is read', async () => {
    const { job, context } = await begin('run');
    const { backend: store } = worker as unknown as Inside;
    const extendLocks = store.extendLocks.bind(store);
    const asked = signal();
    const read = signal();
    store.extendLocks = async (...renewal) => {
      const answer = await extendLocks(...renewal);
      asked.reach();
      await read.reached;
      return answer;
    };
    await asked.reached;
    await started.jobs.queue('default').pause();
    await once(worker, 'stalled');
    const late = new Promise((resolve) => {
      worker.once('locksRenewed', () => void context.progress(99).then(resolve, resolve));
    });
    store.extendLocks = extendLocks;
    read.reach();
    expect(await late).toBeInstanceOf(AttemptEndedError);
    await endWithSecond(job);
    expect(await job.status()).not.toHaveProperty('progress');
  });
});
