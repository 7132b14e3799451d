import { Injectable } from '@nestjs/common';
import {
  AttemptEndedError,
  ClaimLostError,
  JobsRunner,
  JobsService,
  Snooze,
  Task,
  task,
  type JobContext,
  type JobHandle,
} from 'nestjs-jobs';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';
import { ISO_UTC } from '../support/work.js';

interface Freeze {
  readonly frozen: Signal<JobContext>;
  readonly woken: Signal;
  readonly told: Signal<unknown[]>;
}

@Injectable()
class Frozen {
  static freezes = new Map<string, Freeze>();

  constructor(private readonly jobs: JobsService) {}

  /** Fails, is left behind in its second attempt, and fails and succeeds after that. */
  @Task({ retry: { attempts: 4, delay: 1 } })
  async run(key: string, job: JobContext): Promise<string> {
    if (job.attempt === 2) {
      Frozen.freezes.get(key)!.frozen.reach(job);
      await Frozen.freezes.get(key)!.woken.reached;
      throw new Snooze('1h');
    } else if (job.attempt < 4) throw new Error(`attempt ${job.attempt}`);
    await job.progress(job.attempt);
    return `attempt ${job.attempt}`;
  }

  @Task({ retry: { attempts: 2 } })
  async wakes(key: string, job: JobContext): Promise<string> {
    const { frozen, woken, told } = Frozen.freezes.get(key)!;
    if (job.attempt === 2) {
      await job.progress(2);
      return 'second';
    }
    frozen.reach(job);
    await woken.reached;
    const calls = [
      () => job.progress(99),
      () => job.stage('late'),
      () => job.log('late'),
      () => job.enqueue(task(Frozen, 'nothing')),
      () => this.jobs.enqueue(task(Frozen, 'nothing')),
      () => this.jobs.enqueueMany([{ task: task(Frozen, 'nothing') }]),
    ];
    told.reach((await Promise.allSettled(calls.map((call) => call()))).map((each) => 'reason' in each && each.reason));
    return 'first';
  }

  /** Its errors have stacks of more than four kilobytes, each with a cause of its own. */
  @Task({ retry: { attempts: 50, delay: 1, jitter: 'none', factor: 1 } })
  fails(_payload: undefined, job: JobContext): void {
    const error = new TypeError(`attempt ${job.attempt}`, { cause: new Error('the cause') });
    error.stack = `${error.stack}\n${'    at somewhere\n'.repeat(1_000)}`;
    throw error;
  }

  @Task({ queue: 'others' })
  nothing(): void {}
}

describe.each(backends)('an attempt that is left behind on $name', (backend) => {
  let started: JobsApp;
  let worker: JobsWorker;
  beforeAll(async () => {
    const options = { lease: '1s', queues: { others: {} }, workers: { only: ['default'] } };
    started = await startJobsApp({ backend, providers: [Frozen], options });
    const runner = started.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    worker = runner.workers.get('default')!;
  });
  afterAll(() => started?.close());

  /** Starts a job whose claim is renewed no more, as if its process were frozen, until another attempt has ended it. */
  async function freeze(method: 'run' | 'wakes'): Promise<{ job: JobHandle; context: JobContext; freeze: Freeze }> {
    const key = `${backend.name} ${method}`;
    const made: Freeze = { frozen: signal<JobContext>(), woken: signal(), told: signal<unknown[]>() };
    Frozen.freezes.set(key, made);
    const job = await started.jobs.enqueue(task(Frozen, method), key);
    const context = await made.frozen.reached;
    (worker as unknown as { lockManager: { trackedJobs: Map<string, unknown> } }).lockManager.trackedJobs.delete(
      job.id,
    );
    return { job, context, freeze: made };
  }

  it('[R4] stands in the history with what is known of it, between the others', async () => {
    const { job, freeze: made } = await freeze('run');
    expect(await job.result()).toBe('attempt 4');
    const time = expect.stringMatching(ISO_UTC) as unknown;
    const status = await job.status();
    expect(status).toMatchObject({ attempt: 4, state: 'succeeded' });
    expect(status.attempts).toEqual([
      { attempt: 1, startedAt: time, endedAt: time, error: { name: 'Error', message: 'attempt 1' } },
      { attempt: 2, startedAt: null, endedAt: null, stalled: true },
      { attempt: 3, startedAt: time, endedAt: time, error: { name: 'Error', message: 'attempt 3' } },
      { attempt: 4, startedAt: time, endedAt: time },
    ]);
    made.woken.reach();
    // Its late end changes nothing, neither the state nor what was said since.
    await worker.pause();
    await worker.resume();
    expect(await job.status()).toEqual(status);
    expect(status.progress).toBe(4);
  });

  it('[R4] is of every attempt, however many there are, while the job stays small', async () => {
    const job = await started.jobs.enqueue(task(Frozen, 'fails'));
    await expect(job.result()).rejects.toThrow(/attempt 50/);
    const { attempts } = await job.status();
    const numbers = Array.from({ length: 50 }, (_, n) => n + 1);
    const cause = { name: 'Error', message: 'the cause' };
    expect(attempts).toMatchObject(
      numbers.map((attempt) => ({ attempt, error: { name: 'TypeError', message: `attempt ${attempt}`, cause } })),
    );
    const { stacktrace } = (await started.jobs.queue('default').getJob(job.id))!;
    // Of one attempt the whole stack, of the others what the status tells.
    expect(JSON.stringify(stacktrace).length).toBeLessThan(20_000);
    const [letter] = (await started.jobs.deadLetters.list()).letters;
    expect(letter!.stack).toContain('at somewhere');
  });

  it('[C2] and wakes again may say, enqueue and end nothing any more', async () => {
    const { job, context, freeze: made } = await freeze('wakes');
    expect(await job.result()).toBe('second');
    made.woken.reach();
    const told = await made.told.reached;
    expect(told).toHaveLength(6);
    for (const error of told) expect(error).toBeInstanceOf(AttemptEndedError);
    expect(context.signal.reason).toBeInstanceOf(ClaimLostError);
    expect(await job.status()).toMatchObject({ state: 'succeeded', result: 'second', progress: 2, attempt: 2 });
    expect(await started.jobs.queue('default').getJobLogs(job.id)).toMatchObject({ count: 0 });
    const others = await started.jobs.queue('others').getJobCounts();
    expect(Object.values(others).filter((count) => count > 0)).toEqual([]);
  });
});
