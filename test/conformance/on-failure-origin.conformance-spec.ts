import { Injectable } from '@nestjs/common';
import { JobsRunner, OnFailure, Task, task, type JobContext, type JobFailure, type JobStatus } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { FailureIntents } from '../../libs/jobs/src/failure/failure-intents.js';
import { RunningJobs } from '../../libs/jobs/src/execution/running-jobs.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Failing {
  static gate: { entered: Signal; open: Signal };

  @Task({ name: 'origin.gated', retry: { attempts: 1 } })
  async gated({ fails }: { fails: boolean }): Promise<string> {
    Failing.gate.entered.reach();
    await Failing.gate.open.reached;
    if (fails) throw new RangeError('as it really ended');
    return 'well';
  }

  @Task({ name: 'origin.fails', retry: { attempts: 1 } })
  fails(): never {
    throw new Error('at once');
  }
}

@Injectable()
class Handler {
  static failures: JobFailure[] = [];

  @OnFailure({ tasks: ['origin.*'] }, { name: 'handle', queue: 'handlers', keepResult: false })
  handle(failure: JobFailure, _job: JobContext): string {
    Handler.failures.push(failure);
    return 'kept nowhere';
  }
}

const options = { queues: { default: {}, handlers: {} }, unknownTaskGrace: '1h' };

function handlerJobId(failedId: string): string {
  return `handlers_failure-${failedId}-handle`;
}

describe.each(backends)('the job of a failure handler on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Failing, Handler], options });
  });
  afterAll(() => started?.close());
  beforeEach(() => {
    Handler.failures = [];
    Failing.gate = { entered: signal(), open: signal() };
  });

  /** As a process leaves it that dies before it could store the failure: the handler's job is there, and the job runs on. */
  async function runningWithIntent(payload: { fails: boolean }): Promise<{ id: string; looked: Promise<unknown> }> {
    const job = await started.jobs.enqueue(task(Failing, 'gated'), payload);
    await Failing.gate.entered.reached;
    const stored = (started.app.get(RunningJobs).get(job.id) as unknown as { stored: never }).stored;
    const report = Object.assign(new Error('before the crash'), { stack: '' });
    const { workers } = started.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    const putBack = signal();
    workers.get('handlers')!.on('active', ({ id }) => id === handlerJobId(job.id) && putBack.reach());
    await started.app.get(FailureIntents).write(stored, report, report, (work) => work());
    return { id: job.id, looked: putBack.reached };
  }

  async function ended(id: string): Promise<JobStatus> {
    await started.jobs
      .job(id)
      .result()
      .catch(() => {});
    return started.jobs.job(id).status();
  }

  it('[R6] waits while its job still runs, without an attempt, and then tells how it really ended', async () => {
    const { id, looked } = await runningWithIntent({ fails: true });
    await looked;
    await eventually(async () => expect((await started.jobs.job(handlerJobId(id)).status()).state).toBe('scheduled'));
    expect(Handler.failures).toEqual([]);
    Failing.gate.open.reach();
    await ended(id);
    expect(await ended(handlerJobId(id))).toMatchObject({ state: 'succeeded', attempt: 1, result: null });
    expect(Handler.failures).toMatchObject([{ id, error: { message: 'as it really ended' } }]);
  });

  it('[R6] has nothing to do when its job ended well after all', async () => {
    const { id, looked } = await runningWithIntent({ fails: false });
    await looked;
    Failing.gate.open.reach();
    await ended(id);
    const reason = `job ${id} did not fail: it was run again, and is succeeded`;
    expect(await ended(handlerJobId(id))).toMatchObject({ state: 'succeeded', reason });
    expect(Handler.failures).toEqual([]);
  });

  it('[R6] is one, however often the failure was about to be stored', async () => {
    const { id } = await runningWithIntent({ fails: true });
    Failing.gate.open.reach();
    await ended(id);
    expect(await ended(handlerJobId(id))).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(Handler.failures).toHaveLength(1);
  });

  it('[R6] tells what it was stored with when the dead letter is gone', async () => {
    const { workers } = started.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    await workers.get('handlers')!.pause();
    const job = await started.jobs.enqueue(task(Failing, 'fails'));
    const status = await ended(job.id);
    await started.jobs.deadLetters.discard(job.id);
    await workers.get('handlers')!.resume();
    expect(await ended(handlerJobId(job.id))).toMatchObject({ state: 'succeeded' });
    const { finishedAt, ...told } = Handler.failures[0]!;
    const { finishedAt: _stored, ...expected } = status;
    expect(told).toEqual(expected);
    expect(finishedAt).toBeDefined();
  });
});

const serverBackends = backends.filter(({ name }) => name !== 'embedded');
if (serverBackends.length > 0) {
  describe.each(serverBackends)('a failure handler that only another process has, on $name', (backend) => {
    let namespace: string;
    let failing: JobsApp;
    beforeEach(async () => {
      namespace = uniqueNamespace();
      Handler.failures = [];
      failing = await startJobsApp({
        backend,
        providers: [Failing],
        options: { namespace, queues: { default: {} }, unknownTaskGrace: '1h' },
      });
    });
    afterEach(() => failing.close());

    /** Works the queue of the handlers alone. */
    function startHandling(providers: never[] | [typeof Handler], unknownTaskGrace = '1h'): Promise<JobsApp> {
      const workers = { only: ['handlers'] };
      return startJobsApp({ backend, providers, options: { ...options, namespace, workers, unknownTaskGrace } });
    }

    async function fail(): Promise<string> {
      const job = await failing.jobs.enqueue(task(Failing, 'fails'));
      await expect(job.result()).rejects.toThrow('at once');
      return job.id;
    }

    it('[R6] gets the failure, also of a queue that it does not know', async () => {
      const handling = await startHandling([Handler]);
      const id = await fail();
      await handling.jobs.job(handlerJobId(id)).result();
      expect(Handler.failures).toMatchObject([{ id, error: { message: 'at once' } }]);
      expect(Handler.failures[0]!.stack).toMatch(/at once/);
      await handling.close();
    });

    it('[R6] gets what failed while its process was away', async () => {
      await (await startHandling([Handler])).close();
      const id = await fail();
      expect(Handler.failures).toEqual([]);
      const handling = await startHandling([Handler]);
      await handling.jobs.job(handlerJobId(id)).result();
      expect(Handler.failures).toMatchObject([{ id }]);
      await handling.close();
    });

    it('[R6] is forgotten when its code is gone from the fleet: one dead letter tells of it', async () => {
      await (await startHandling([Handler])).close();
      const without = await startHandling([], '100ms');
      const lost = handlerJobId(await fail());
      await expect(without.jobs.job(lost).result()).rejects.toThrow(/no worker of queue "handlers" knows/);
      const { ledger } = without.app.get<QueueBackend>(QUEUE_BACKEND);
      expect(await ledger.list('failure-handlers')).toEqual([]);
      const next = handlerJobId(await fail());
      expect(await without.jobs.statuses([next])).toEqual({ [next]: null });
      await without.close();
    });
  });
}
