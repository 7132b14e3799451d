import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Provider } from '@nestjs/common';
import { JobNotFoundError, JobsRunner, taskContract, type JobsModuleOptions } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { Queues } from '../../libs/jobs/src/client/queues.js';
import { WorkerControl } from '../../libs/jobs/src/worker/worker-control.js';
import { backends, embeddedIn, ownNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { echo, hold, Stuck } from '../support/stuck.js';

describe.each(backends)('why a job does not run after a deploy, on $name', (backend) => {
  let directory: string;
  let running: JobsApp | undefined;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'why-'));
  });
  afterEach(async () => {
    await running?.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** One process after the other: an embedded store has one at a time. */
  async function start(namespace: string, providers: Provider[]): Promise<JobsApp> {
    const connection = (): JobsModuleOptions['connection'] =>
      backend.name === 'embedded' ? embeddedIn(directory) : backend.connection();
    running = await startJobsApp({ backend: { ...backend, connection }, providers, options: { namespace } });
    await eventually(async () => (await running!.jobs.fleet.processes()).length === 1);
    return running;
  }

  it('[M4] `unknown-task`: a process has come that has the code', async () => {
    const namespace = ownNamespace(backend);
    const old = await start(namespace, []);
    const { id } = await old.jobs.enqueue(taskContract<string, string>('stuck.echo'), 'new');
    await eventually(async () => (await old.jobs.job(id).status()).waitingFor !== undefined);
    // Nobody looks at it.
    await old.jobs.fleet.pauseQueue('default');
    const { until } = (await old.jobs.job(id).status()).waitingFor!;
    const known = { kind: 'unknown-task', task: 'stuck.echo', until };
    expect((await old.jobs.fleet.why(id)).also).toEqual([known]);
    await old.close();
    const { jobs } = await start(namespace, [Stuck]);
    expect(await jobs.fleet.why(id)).toMatchObject({
      reason: { kind: 'paused-queue' },
      also: [{ ...known, isKnown: true }],
    });
    await jobs.fleet.resumeQueue('default');
    await (await jobs.queue('default').getJob(id))!.promote();
    expect(await jobs.job(id).result()).toBe('new');
  });

  it('[M4] `paused-processes`: the only one drains', async () => {
    const { jobs, app } = await start(ownNamespace(backend), [Stuck]);
    const { entered, open } = Stuck.gate('keeps it from ending');
    await jobs.enqueue(hold, 'keeps it from ending');
    await entered;
    const drained = app.get(JobsRunner).drain();
    // What was being fetched meanwhile begins still.
    await app.get(WorkerControl).endsFetching();
    const job = await jobs.enqueue(echo, 'too late');
    const process = (await jobs.fleet.processes())[0]!.id;
    await eventually(async () => {
      expect((await jobs.fleet.why(job.id)).reason).toEqual({
        kind: 'paused-processes',
        queue: 'default',
        processes: [process],
      });
    });
    open();
    await drained;
  });

  it('[M4] asked for a job of a queue that there is not, it makes none', async () => {
    const { jobs, app } = await start(ownNamespace(backend), [Stuck]);
    await expect(jobs.fleet.why('misspelled_1')).rejects.toThrow(JobNotFoundError);
    const store = app.get<QueueBackend>(QUEUE_BACKEND);
    const versions: unknown[] = [];
    for (const queue of [app.get(Queues).get('misspelled'), store.createQueue('default', false)]) {
      versions.push(await queue.getVersion());
    }
    // BullMQ writes it into each queue that it knows.
    expect(versions).toEqual([null, expect.stringContaining('bullmq')]);
  });
});
