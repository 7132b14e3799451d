import { JobCancelledError, task, type JobState } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { ISO_UTC, Slow, Work, startWork } from '../support/work.js';

describe.each(backends)('delays and cancellation on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startWork(backend);
  });
  afterAll(() => started?.close());

  async function reaches(id: string, state: JobState): Promise<void> {
    await eventually(async () => expect((await started.jobs.job(id).status()).state).toBe(state));
  }

  describe('delayed start', () => {
    it('[S8] runs a job no earlier than its delay says', async () => {
      const job = await started.jobs.enqueue(task(Work, 'startedAt'), undefined, { delay: '300ms' });
      const waiting = await job.status();
      expect(waiting).toMatchObject({ state: 'scheduled', attempt: 0, terminal: false });
      expect(Date.parse(waiting.scheduledFor!) - Date.parse(waiting.createdAt)).toBe(300);
      const { startedAt, scheduledFor } = await job.result();
      expect(scheduledFor).toBe(waiting.scheduledFor);
      expect(startedAt).toBeGreaterThanOrEqual(Date.parse(scheduledFor!));
    });

    it('[S8] runs a job no earlier than runAt, as a Date and as a string; a past time means now', async () => {
      const runAt = new Date(Date.now() + 300);
      const jobs = await Promise.all([
        started.jobs.enqueue(task(Work, 'startedAt'), undefined, { runAt }),
        started.jobs.enqueue(task(Work, 'startedAt'), undefined, { runAt: runAt.toISOString() }),
      ]);
      for (const job of jobs) expect((await job.result()).startedAt).toBeGreaterThanOrEqual(runAt.getTime());
      const late = await started.jobs.enqueue(task(Work, 'startedAt'), undefined, { runAt: '2020-01-01T00:00:00Z' });
      expect((await late.result()).scheduledFor).toBeNull();
    });
  });

  describe('cancelling', () => {
    it('cancels a scheduled job, which never runs and still answers', async () => {
      const job = await started.jobs.enqueue(task(Work, 'echo'), 'never', { delay: '1h' });
      expect(await job.cancel({ reason: 'changed my mind' })).toBe(true);
      expect(await job.status()).toMatchObject({ state: 'cancelled', reason: 'changed my mind', terminal: true });
      await expect(job.result()).rejects.toThrow(JobCancelledError);
      await eventually(async () => expect((await job.status()).finishedAt).toMatch(ISO_UTC));
      expect(await job.status()).toMatchObject({ state: 'cancelled', reason: 'changed my mind', attempts: [] });
    });

    it('cancels a pending job behind a running one, which is asked to stop and ends well', async () => {
      const gate = Work.gate('blocker');
      const runningJob = await started.jobs.enqueue(task(Work, 'single'), { name: 'blocker', gate: 'blocker' });
      await gate.entered.reached;
      const pendingJob = await started.jobs.enqueue(task(Work, 'single'), { name: 'cancelled-before' });
      expect(await pendingJob.cancel()).toBe(true);
      expect(await pendingJob.cancel()).toBe(true);
      expect(await pendingJob.status()).toMatchObject({ state: 'cancelled' });
      expect(await runningJob.cancel()).toBe(true);
      gate.open.reach();
      expect(await runningJob.result()).toBeNull();
      expect(await runningJob.cancel()).toBe(false);
      expect(await runningJob.status()).toMatchObject({ state: 'succeeded' });
      await eventually(async () => expect((await pendingJob.status()).finishedAt).toBeDefined());
      expect(Work.order).not.toContain('cancelled-before');
    });
  });

  it('reports a job that waits for its next attempt as retrying, and lets it be cancelled', async () => {
    const patient = await started.jobs.enqueue(task(Slow, 'fails'));
    await reaches(patient.id, 'retrying');
    const status = await patient.status();
    expect(status).toMatchObject({ state: 'retrying', attempt: 1, terminal: false });
    expect(Date.parse(status.scheduledFor!)).toBeGreaterThan(Date.parse(status.attempts[0]!.endedAt!));
    expect(await patient.cancel()).toBe(true);
    await expect(patient.result()).rejects.toThrow(JobCancelledError);
  });
});
