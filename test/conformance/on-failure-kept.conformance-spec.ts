import { Injectable } from '@nestjs/common';
import { JobsRunner, NonRetryableError, OnFailure, Task, task, type JobFailure, type JobStatus } from 'nestjs-jobs';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import { RunningJobs } from '../../libs/jobs/src/execution/running-jobs.js';
import { FailureIntents } from '../../libs/jobs/src/failure/failure-intents.js';
import type { HeldJobs } from '../../libs/jobs/src/worker/held-jobs.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Failing {
  static runs: Signal<string>[];
  static end: Signal;

  /** Its first run hangs for ever, and keeps its slot; what becomes of the second one is the test's business. */
  @Task({ name: 'kept.runs-again', retry: { attempts: 2 } })
  async runsAgain({ fails }: { fails: boolean }): Promise<string> {
    const run = Failing.runs.shift()!;
    run.reach('');
    if (Failing.runs.length > 0) await new Promise(() => {});
    await Failing.end.reached;
    if (fails) throw new NonRetryableError('in the end');
    return 'well';
  }

  @Task({ name: 'kept.fails', retry: { attempts: 1 } })
  fails(): never {
    throw new Error('at once');
  }
}

@Injectable()
class Handler {
  static failures: JobFailure[] = [];

  @OnFailure({ errors: ['Error'] }, { name: 'handle', queue: 'handlers' })
  handle(failure: JobFailure): void {
    Handler.failures.push(failure);
  }
}

@Injectable()
class Expiring {
  @OnFailure({}, { name: 'expires', queue: 'handlers', expiresIn: '1ms' })
  expires(failure: JobFailure): void {
    Handler.failures.push(failure);
  }
}

function handlerJobId(failedId: string, handler = 'handle'): string {
  return `handlers_failure-${failedId}-${handler}`;
}

async function ended({ jobs }: JobsApp, id: string): Promise<JobStatus> {
  await jobs
    .job(id)
    .result()
    .catch(() => {});
  return jobs.job(id).status();
}

describe.each(backends)('a job with failure handlers that runs again, on $name', (backend) => {
  let started: JobsApp;
  let runner: { readonly workers: Map<string, JobsWorker>; readonly held: HeldJobs };
  beforeAll(async () => {
    const options = { queues: { default: { concurrency: 8 }, handlers: {} }, lease: '1s' };
    started = await startJobsApp({ backend, providers: [Failing, Handler], options });
    runner = started.app.get(JobsRunner) as unknown as typeof runner;
  });
  afterAll(() => started?.close());
  beforeEach(() => {
    Handler.failures = [];
    Failing.runs = [signal<string>(), signal<string>()];
    Failing.end = signal();
  });

  const lettingGo = [
    {
      how: 'left behind by a process that froze',
      letGo: (id: string): void => {
        const { lockManager } = runner.workers.get('default') as unknown as {
          lockManager: { trackedJobs: Map<string, unknown> };
        };
        lockManager.trackedJobs.delete(id);
      },
    },
    { how: 'given back by a process that shut down', letGo: (): Promise<void> => runner.held.giveBackAll() },
  ];

  /** Its handlers are told of a failure that is never stored; it runs again, ends, and is not kept. */
  async function endedAndGone(fails: boolean, letGo: (id: string) => unknown): Promise<string> {
    await runner.workers.get('handlers')!.pause();
    const [first, second] = [...Failing.runs];
    const { id } = await started.jobs.enqueue(task(Failing, 'runsAgain'), { fails });
    await first!.reached;
    const stored = (started.app.get(RunningJobs).get(id) as unknown as { stored: never }).stored;
    const report = Object.assign(new Error('never stored'), { stack: '' });
    await started.app.get(FailureIntents).write(stored, report, report, (work) => work());
    await letGo(id);
    await second!.reached;
    Failing.end.reach();
    expect(await ended(started, id)).toMatchObject({ state: fails ? 'failed' : 'succeeded' });
    await started.jobs.queue('default').remove(id);
    await runner.workers.get('handlers')!.resume();
    return id;
  }

  it.each(lettingGo)('[R6] $how: no handler is called when it ended well, even if it is gone', async ({ letGo }) => {
    const id = await endedAndGone(false, letGo);
    const reason = `job ${id} did not fail: it was run again, and is not kept any more`;
    expect(await ended(started, handlerJobId(id))).toMatchObject({ state: 'succeeded', reason });
    expect(Handler.failures).toEqual([]);
  });

  it.each(lettingGo)('[R6] $how: its handler is called when it failed, even if it is gone', async ({ letGo }) => {
    const id = await endedAndGone(true, letGo);
    const status = await ended(started, handlerJobId(id));
    expect(status).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(status.reason).toBeUndefined();
    expect(Handler.failures).toMatchObject([{ id }]);
  });
});

describe.each(backends)('how long a failure waits for its handler on $name', (backend) => {
  beforeEach(() => (Handler.failures = []));

  it('[R6] for ever, whatever its queue says of work that nobody wants any more', async () => {
    const queues = { default: {}, handlers: { defaults: { expiresIn: '1ms' } } };
    const started = await startJobsApp({ backend, providers: [Failing, Handler], options: { queues } });
    const job = await started.jobs.enqueue(task(Failing, 'fails'));
    await ended(started, job.id);
    expect(await ended(started, handlerJobId(job.id))).toMatchObject({ state: 'succeeded' });
    expect(Handler.failures).toMatchObject([{ id: job.id }]);
    await started.close();
  });

  it('[R6] as long as the handler itself says', async () => {
    const options = { queues: { default: {}, handlers: {} } };
    const started = await startJobsApp({ backend, providers: [Failing, Expiring], options });
    const { workers } = started.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    await workers.get('handlers')!.pause();
    const job = await started.jobs.enqueue(task(Failing, 'fails'));
    await ended(started, job.id);
    const id = handlerJobId(job.id, 'expires');
    const { data } = (await started.jobs.queue('handlers').getJob(id))!;
    await eventually(() => Date.now() > data.x);
    await workers.get('handlers')!.resume();
    expect(await ended(started, id)).toMatchObject({ state: 'cancelled', reason: 'expired' });
    expect(Handler.failures).toEqual([]);
    await started.close();
  });

  // Nobody else can be there to fail, or to be told.
  if (backend.name === 'embedded') return;

  it('[R6] is not announced for less long than until the next announcement', async () => {
    const shared = { namespace: uniqueNamespace(), results: { keepFailedFor: '1ms' } };
    const queues = { default: {}, handlers: {} };
    const handling = await startJobsApp({
      backend,
      providers: [Handler],
      options: { ...shared, queues, workers: { only: ['handlers'] } },
    });
    const failing = await startJobsApp({
      backend,
      providers: [Failing],
      options: { ...shared, queues: { default: {} } },
    });
    const job = await failing.jobs.enqueue(task(Failing, 'fails'));
    await job.result().catch(() => {});
    expect(await ended(handling, handlerJobId(job.id))).toMatchObject({ state: 'succeeded' });
    await Promise.all([handling.close(), failing.close()]);
  });
});
