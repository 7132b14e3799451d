import { Injectable } from '@nestjs/common';
import { JobsRunner, Snooze, Task, task, type JobContext } from 'nestjs-jobs';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import { backends } from '../support/backends.js';
import { startJobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

const JOBS = 64;

@Injectable()
class Returning {
  static everyRenewed: Signal;
  static runs = new Map<string, number>();

  /** Puts itself back at once, and runs on the second time until every claim was renewed. */
  @Task({ name: 'returning.run' })
  async run(_payload: undefined, job: JobContext): Promise<void> {
    const run = (Returning.runs.get(job.id) ?? 0) + 1;
    Returning.runs.set(job.id, run);
    if (run === 1) throw new Snooze(0);
    if (run === 2) await Returning.everyRenewed.reached;
  }
}

/** BullMQ's own worker, which alone tells of the claims that it renews. */
function workerOf(runner: JobsRunner): JobsWorker {
  return (runner as unknown as { workers: Map<string, JobsWorker> }).workers.get('default')!;
}

describe.each(backends)('the claims of a worker on $name', (backend) => {
  it.each([1, 8, 32])(
    '[C2] are renewed also on a job that the same worker put back and fetched again, at concurrency %i',
    async (concurrency) => {
      Returning.everyRenewed = signal();
      Returning.runs.clear();
      const { app, jobs, close } = await startJobsApp({
        backend,
        providers: [Returning],
        options: { queues: { default: { concurrency } }, lease: '2s' },
      });
      const worker = workerOf(app.get(JobsRunner));
      // What is not renewed is taken for left behind, and runs once more.
      const again = signal<string>();
      worker.on('stalled', (id) => again.reach(id));
      const renewed = new Set<string>();
      worker.on('locksRenewed', ({ jobIds }) => {
        for (const id of jobIds) renewed.add(id);
        if (renewed.size === concurrency) Returning.everyRenewed.reach();
      });
      const entries = Array.from({ length: concurrency === 1 ? 1 : JOBS }, () => ({ task: task(Returning, 'run') }));
      const handles = await jobs.enqueueMany(entries);
      const first = Promise.race([Returning.everyRenewed.reached.then(() => 'every claim renewed'), again.reached]);
      expect(await first).toBe('every claim renewed');
      await Promise.all(handles.map((handle) => handle.result()));
      expect(new Set(Returning.runs.values())).toEqual(new Set([2]));
      await close();
    },
  );
});
