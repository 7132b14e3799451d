import { Injectable } from '@nestjs/common';
import { Task, task, type JobContext, type JobHandle, type JobStatus } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { sized } from '../support/test-form.js';

@Injectable()
class Racing {
  static runs = new Map<string, number>();

  @Task()
  async run({ takes }: { takes: number }, job: JobContext): Promise<string> {
    Racing.runs.set(job.id, (Racing.runs.get(job.id) ?? 0) + 1);
    for (let turn = 0; turn < takes; turn++) await new Promise(setImmediate);
    job.signal.throwIfAborted();
    return 'well';
  }
}

const RACES = sized(1_000, 300);

describe.each(backends)('cancelling at any moment on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    const queues = { default: { concurrency: 8 } };
    started = await startJobsApp({ backend, providers: [Racing], options: { queues } });
  });
  afterAll(() => started?.close());

  it(`[A6] racing with start and end, ${RACES} times, ends in one of the two, and no final state changes`, async () => {
    const finals = new Map<string, string>();
    const changed: string[] = [];
    const look = async (job: JobHandle): Promise<JobStatus> => {
      const status = await job.status();
      const before = finals.get(job.id);
      if (before !== undefined && before !== status.state) changed.push(`${job.id}: ${before}, ${status.state}`);
      if (status.terminal) finals.set(job.id, status.state);
      return status;
    };
    const race = async (n: number): Promise<{ state: string; runs: number; answer: boolean }> => {
      const job = await started.jobs.enqueue(task(Racing, 'run'), { takes: n % 40 });
      for (let turn = 0; turn < n % 23; turn++) await new Promise(setImmediate);
      const cancelling = job.cancel();
      await look(job);
      const answer = await cancelling;
      await look(job);
      await job.result({ timeout: '1m' }).catch(() => {});
      const { state } = await look(job);
      return { state, runs: Racing.runs.get(job.id) ?? 0, answer };
    };
    const outcomes: { state: string; runs: number; answer: boolean }[] = [];
    const lanes = Array.from({ length: 20 }, async (_, lane) => {
      for (let n = lane; n < RACES; n += 20) outcomes.push(await race(n));
    });
    await Promise.all(lanes);
    expect(outcomes).toHaveLength(RACES);
    expect(changed).toEqual([]);
    for (const { state, runs, answer } of outcomes) {
      expect(['succeeded', 'cancelled']).toContain(state);
      expect(runs).toBeLessThanOrEqual(1);
      // It ended well only when it ran, and it was refused only when it had ended.
      expect({ state, runs, answer }).not.toMatchObject({ state: 'succeeded', runs: 0 });
      expect({ state, runs, answer }).not.toMatchObject({ state: 'cancelled', answer: false });
    }
    expect(new Set(outcomes.map(({ state }) => state))).toEqual(new Set(['succeeded', 'cancelled']));
  }, 120_000);
});
