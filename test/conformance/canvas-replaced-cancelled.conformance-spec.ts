import { Injectable } from '@nestjs/common';
import { chord, type JobContext, JobsService, type JobTree, Task, task } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { number, Sums, xsum } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;

@Injectable()
class Replacing {
  constructor(private readonly jobs: JobsService) {}

  /** Waits for long. */
  @Task()
  async soon(_payload: null, job: JobContext): Promise<number> {
    const waiting = number.s(1).set({ delay: '1h' });
    return job.replaceWith(chord([waiting, waiting], xsum.s()));
  }

  /** Is cancelled while there is nothing yet that it waits for. */
  @Task()
  async late(_payload: null, job: JobContext): Promise<number> {
    await this.jobs.job(job.id).cancel({ flow: true, reason: 'not needed' });
    const waiting = number.s(1).set({ delay: '1h' });
    return job.replaceWith(chord([waiting, waiting], xsum.s()));
  }
}

function statesOf({ state, children }: JobTree): string[] {
  return [...new Set([state, ...children.flatMap(statesOf)])];
}

describe.each(backends)('a job on $name that replaces itself', (backend) => {
  let app: JobsApp;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Sums, Replacing] });
  });
  afterAll(() => app?.close());

  it('[V10] [A6] cancels what it is replaced with, when it was cancelled before', async () => {
    const started = await app.jobs.enqueueMany(
      Array.from({ length: 10 }, () => ({ task: task(Replacing, 'late'), payload: null })),
    );
    for (const handle of started) {
      await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError' });
      expect(await handle.status()).toMatchObject({ state: 'cancelled', reason: 'not needed' });
      // It may have been added before it was known that nobody wants it.
      for (const child of (await handle.tree()).children) expect(statesOf(child)).toEqual(['cancelled']);
    }
  });

  it('[V10] [A6] and is cancelled then, alone, ends along with what it is replaced with', async () => {
    const handle = await app.jobs.enqueue(task(Replacing, 'soon'), null);
    await eventually(async () => (await handle.status()).state === 'blocked');
    expect(await handle.cancel({ reason: 'not needed' })).toBe(true);
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError' });
    const [canvas] = (await handle.tree()).children;
    expect(statesOf(canvas!)).toEqual(['cancelled']);
  });
});
