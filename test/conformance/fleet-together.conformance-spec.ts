import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { JobsService, ProcessNotAnsweringError, ProcessRefusedError, Task, task } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { answersTo, QUESTIONS } from '../../libs/jobs/src/fleet/fleet-channel.js';
import { JobsRunner } from '../../libs/jobs/src/worker/jobs.runner.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Gated {
  static gate: Signal;
  static readonly ran: string[] = [];

  @Task({ name: 'gated.run' })
  async run(text: string): Promise<void> {
    Gated.ran.push(text);
    await Gated.gate.reached;
  }
}

const run = task(Gated, 'run');
/** Of a process that tells nothing itself. */
const SILENT = 'a7e1c1f0-0000-4000-8000-000000000001';
const STRANGER = 'a7e1c1f0-0000-4000-8000-000000000002';

describe.each(backends)('orders of the fleet that cross, on $name', (backend) => {
  let app: JobsApp;
  let id: string;

  beforeEach(async () => {
    Gated.gate = signal();
    Gated.ran.length = 0;
    app = await startJobsApp({ backend, providers: [Gated], options: { queues: { default: { concurrency: 2 } } } });
    const [process] = await eventually(async () => {
      const processes = await app.jobs.fleet.processes();
      return processes.length === 1 && processes;
    });
    id = process!.id;
  });
  afterEach(async () => {
    Gated.gate.reach();
    await app.close();
  });

  const store = (): QueueBackend => app.app.get<QueueBackend>(QUEUE_BACKEND);
  const begun = (count: number): Promise<unknown> => eventually(() => expect(Gated.ran).toHaveLength(count));

  it('[M5] a pause does not wait for ever for the fetches of a process that was resumed meanwhile', async () => {
    const { workers } = app.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    const worker = workers.get('default')!;
    // One is always under way where there is always work.
    const busy = worker as unknown as { fetches: number };
    busy.fetches++;
    const halted = worker.halt();
    await worker.resume();
    await halted;
    busy.fetches--;
    expect(worker.isPaused()).toBe(false);
  });

  it('[M5] of a paused process that drains, what runs ends, and what waits is neither begun nor lost', async () => {
    const { jobs } = app;
    const running = await Promise.all(['a', 'b'].map((text) => jobs.enqueue(run, text)));
    await begun(2);
    await jobs.fleet.pauseProcess(id);
    const waiting = await jobs.enqueue(run, 'c');
    expect(await jobs.fleet.drain(id)).toMatchObject({ draining: true });
    await expect(jobs.fleet.resumeProcess(id)).rejects.toThrow(ProcessRefusedError);
    await expect(jobs.fleet.setConcurrency('default', 5, { process: id })).rejects.toThrow(ProcessRefusedError);
    Gated.gate.reach();
    await app.app.get(JobsRunner).drain();
    for (const handle of running) expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(await waiting.status()).toMatchObject({ state: 'pending' });
    expect(Gated.ran.toSorted()).toEqual(['a', 'b']);
  });

  it('[M5] sent all at once and again and again, they are all answered, and each job runs once', async () => {
    const { jobs } = app;
    Gated.gate.reach();
    const texts = Array.from({ length: 100 }, (_, n) => `n${n}`);
    const handles = await jobs.enqueueMany(texts.map((text) => ({ task: run, payload: text })));
    for (let n = 1; n <= 5; n++) {
      await Promise.all([
        jobs.fleet.pauseProcess(id, { timeout: '1m' }),
        jobs.fleet.resumeProcess(id, { timeout: '1m' }),
        jobs.fleet.setConcurrency('default', n, { timeout: '1m' }),
        jobs.fleet.pauseProcess(id, { queue: 'default', timeout: '1m' }),
        jobs.fleet.resumeProcess(id, { queue: 'default', timeout: '1m' }),
      ]);
    }
    await jobs.fleet.resumeProcess(id, { timeout: '1m' });
    await Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
    expect(Gated.ran.toSorted()).toEqual(texts.toSorted());
  });

  it('[M5] nobody refuses for another', async () => {
    const record = { queues: [], worked: [], host: 'elsewhere', pid: 7 };
    await store().ledger.put('processes', SILENT, record, 60_000);
    const subscription = store().messages.subscribe(QUESTIONS, async (message) => {
      const { id: question, asker } = message as { id: string; asker: string };
      const answer = { id: question, process: STRANGER, host: hostname(), pid: 1, refusal: 'I say so' };
      await store().messages.publish(answersTo(asker), answer);
      await store().messages.publish(answersTo(asker), { ...answer, process: SILENT, refusal: undefined });
    });
    await subscription.inEffect;
    expect(await app.app.get(JobsService).fleet.drain(SILENT)).toMatchObject({ id: SILENT });
    subscription.unsubscribe();
    await expect(app.jobs.fleet.drain(SILENT, { timeout: '200ms' })).rejects.toThrow(ProcessNotAnsweringError);
  });
});
