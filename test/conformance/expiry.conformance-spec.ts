import { Injectable } from '@nestjs/common';
import { Snooze, Task, task, type JobContext, type JobHandle, type JobState } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Expiring {
  static ran: string[] = [];
  static snoozed = new Set<string>();
  static gates = new Map<string, { entered: Signal; open: Signal }>();

  @Task({ queue: 'single' })
  async holds(gate: string): Promise<void> {
    Expiring.gates.get(gate)!.entered.reach();
    await Expiring.gates.get(gate)!.open.reached;
  }

  @Task({ queue: 'single' })
  notes(name: string): string {
    Expiring.ran.push(name);
    return name;
  }

  @Task({ queue: 'single', expiresIn: 1 })
  notesSoon(name: string): string {
    return this.notes(name);
  }

  @Task({ retry: { attempts: 2, delay: '1h', maxDelay: '1h', jitter: 'none' } })
  failsOnce(_payload: undefined, job: JobContext): number {
    if (job.attempt === 1) throw new Error('again');
    return job.attempt;
  }

  @Task({ retry: { attempts: 1 } })
  snoozesOnce(_payload: undefined, job: JobContext): string {
    if (Expiring.snoozed.has(job.id)) return 'awake';
    Expiring.snoozed.add(job.id);
    throw new Snooze('1h');
  }
}

describe.each(backends)('expiry on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({
      backend,
      providers: [Expiring],
      options: { queues: { single: { concurrency: 1 } } },
    });
  });
  afterAll(() => started?.close());

  /** Runs `meanwhile` with the one slot of the queue taken. */
  async function whileBusy(meanwhile: () => Promise<void>): Promise<void> {
    const gate = { entered: signal(), open: signal() };
    Expiring.gates.set(backend.name, gate);
    await started.jobs.enqueue(task(Expiring, 'holds'), backend.name);
    await gate.entered.reached;
    await meanwhile();
    gate.open.reach();
  }

  async function untilLate(job: JobHandle): Promise<void> {
    const { createdAt } = await job.status();
    await eventually(() => expect(Date.now()).toBeGreaterThan(Date.parse(createdAt) + 5));
  }

  async function reaches(job: JobHandle, state: JobState): Promise<void> {
    await eventually(async () => expect((await job.status()).state).toBe(state));
  }

  /** As if a year had passed. */
  async function age(job: JobHandle): Promise<void> {
    const stored = (await started.jobs.queue('default').getJob(job.id))!;
    await stored.updateData({ ...(stored.data as object), x: Date.now() - 1 });
    await stored.promote();
  }

  it.each(['the call', 'the task'])('ends a job that did not start in time, as %s says', async (who) => {
    const name = `${backend.name} ${who}`;
    const late: JobHandle[] = [];
    await whileBusy(async () => {
      const job =
        who === 'the task'
          ? await started.jobs.enqueue(task(Expiring, 'notesSoon'), name)
          : await started.jobs.enqueue(task(Expiring, 'notes'), name, { expiresIn: 1 });
      await untilLate(job);
      // Decided when its turn comes, by the process that would run it.
      expect(await job.status()).toMatchObject({ state: 'pending', terminal: false });
      late.push(job);
    });
    await expect(late[0]!.result()).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'expired' });
    const status = await late[0]!.status();
    expect(status).toMatchObject({ state: 'cancelled', reason: 'expired', attempt: 0, attempts: [], terminal: true });
    expect(status).not.toHaveProperty('error');
    expect(status.finishedAt).toBeDefined();
    expect(Expiring.ran).not.toContain(name);
  });

  it('leaves alone what starts in time', async () => {
    const job = await started.jobs.enqueue(task(Expiring, 'notes'), 'in time', { expiresIn: '1h' });
    expect(await job.result()).toBe('in time');
  });

  it('leaves alone what failed once already', async () => {
    const job = await started.jobs.enqueue(task(Expiring, 'failsOnce'), undefined, { expiresIn: '1h' });
    await reaches(job, 'retrying');
    await age(job);
    expect(await job.result()).toBe(2);
  });

  it('leaves alone what snoozed once already', async () => {
    const job = await started.jobs.enqueue(task(Expiring, 'snoozesOnce'), undefined, { expiresIn: '1h' });
    await reaches(job, 'scheduled');
    await age(job);
    expect(await job.result()).toBe('awake');
  });

  it('forgets that a task was unknown when it has run', async () => {
    const job = await started.jobs.enqueue(task(Expiring, 'snoozesOnce'), undefined, { delay: '1h' });
    const stored = (await started.jobs.queue('default').getJob(job.id))!;
    await stored.updateProgress({ attempt: 1, waits: { for: 'unknown-task', since: Date.now() } });
    expect(await job.status()).toMatchObject({ state: 'pending', waitingFor: { kind: 'unknown-task' } });
    await stored.promote();
    await reaches(job, 'scheduled');
    expect(await job.status()).not.toHaveProperty('waitingFor');
    await age(job);
    expect(await job.result()).toBe('awake');
  });

  it('ends a job whose task no worker knew', async () => {
    const queue = started.jobs.queue('default');
    await queue.add('Nobody.knows', { x: Date.now() + 3_600_000 }, { jobId: 'default_unknown' });
    const job = started.jobs.job('default_unknown');
    await eventually(async () => expect(await job.status()).toMatchObject({ waitingFor: { kind: 'unknown-task' } }));
    await age(job);
    await eventually(async () => expect(await job.status()).toMatchObject({ state: 'cancelled', reason: 'expired' }));
  });

  it('leaves alone what has begun before its task became unknown', async () => {
    const queue = started.jobs.queue('default');
    await queue.add('Nobody.knows', { x: Date.now() + 3_600_000 }, { jobId: 'default_begun', delay: 3_600_000 });
    const stored = (await queue.getJob('default_begun'))!;
    await stored.updateProgress({ attempt: 1, waits: { for: 'unknown-task', since: Date.now() }, begun: true });
    const job = started.jobs.job('default_begun');
    await age(job);
    await eventually(async () => {
      expect((await queue.getJob(job.id))!.attemptsStarted).toBe(1);
      expect(await job.status()).toMatchObject({ state: 'pending', waitingFor: { kind: 'unknown-task' } });
    });
  });
});
