import { Injectable } from '@nestjs/common';
import {
  AttemptEndedError,
  InvalidArgumentError,
  JobContext,
  JobsShutdownError,
  Task,
  task,
  type JobHandle,
} from 'nestjs-jobs';
import { RunningJobs } from '../../libs/jobs/src/execution/running-jobs.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

interface Visit {
  readonly context: Signal<JobContext>;
  readonly open: Signal;
}

@Injectable()
class Visited {
  static visits = new Map<string, Visit>();

  /** Lets the test hold its context. */
  @Task({ retry: { attempts: 2, delay: '1h', maxDelay: '1h' } })
  async visit(key: string, job: JobContext): Promise<unknown> {
    const visit = Visited.visits.get(key)!;
    visit.context.reach(job);
    await visit.open.reached;
    job.signal.throwIfAborted();
    return { parentId: job.parentId ?? null, rootId: job.rootId };
  }

  @Task()
  async floods(_payload: undefined, job: JobContext): Promise<void> {
    const told = Array.from({ length: 20 }, (_, n) => job.progress(n));
    await Promise.all([...told, job.stage('last')]);
  }

  @Task()
  async enqueues(_payload: undefined, job: JobContext): Promise<string> {
    return (await job.enqueue(task(Visited, 'tellsRoot'))).id;
  }

  @Task()
  tellsRoot(_payload: undefined, job: JobContext): string {
    return job.rootId;
  }
}

describe.each(backends)('the context of a job on $name', (backend) => {
  let started: JobsApp;
  let running: RunningJobs;
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Visited] });
    running = started.app.get(RunningJobs, { strict: false });
  });
  afterAll(() => started?.close());

  async function visit(name: string): Promise<{ job: JobHandle; context: JobContext; open: Signal }> {
    const key = `${backend.name} ${name}`;
    const made: Visit = { context: signal<JobContext>(), open: signal() };
    Visited.visits.set(key, made);
    const job = await started.jobs.enqueue(task(Visited, 'visit'), key);
    return { job, context: await made.context.reached, open: made.open };
  }

  it('is kept while the job runs, and no longer', async () => {
    const { job, context, open } = await visit('kept');
    expect(running.get(job.id)).toBe(context);
    expect(running.all()).toEqual([context]);
    open.reach();
    expect(await job.result()).toEqual({ parentId: null, rootId: job.id });
    expect([running.get(job.id), running.size]).toEqual([undefined, 0]);
  });

  it.each(['before', 'after'])(
    'has a signal that is aborted with the reason, when it is asked for %s that',
    async (when) => {
      const { job, context, open } = await visit(`aborted ${when}`);
      const aborted: unknown[] = [];
      if (when === 'before') context.signal.addEventListener('abort', () => aborted.push(context.signal.reason));
      const reason = new JobsShutdownError(job.id);
      context.abort(reason);
      context.abort(new Error('another one, too late'));
      expect(context.signal).toBe(context.signal);
      expect(context.signal).toMatchObject({ aborted: true, reason });
      expect(aborted).toEqual(when === 'before' ? [reason] : []);
      open.reach();
      await eventually(async () => {
        const { attempts } = await job.status();
        expect(attempts).toMatchObject([
          { error: { name: 'JobsShutdownError', message: expect.stringContaining(job.id) } },
        ]);
      });
    },
  );

  it('refuses what is said after the attempt has ended, also when nobody listens', async () => {
    const { job, context, open } = await visit('ended');
    await context.stage('in time', { n: 1 });
    open.reach();
    await job.result();
    const calls = [
      () => context.stage('late'),
      () => context.progress(99),
      () => context.log('late'),
      () => context.enqueue(task(Visited, 'tellsRoot')),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toThrow(AttemptEndedError);
      await expect(call()).rejects.toMatchObject({ jobId: job.id, attempt: 1 });
    }
    // Unhandled, it would end this process.
    void context.progress(98);
    expect(await job.status()).toMatchObject({ stage: { name: 'in time', meta: { n: 1 } } });
    expect(await job.status()).not.toHaveProperty('progress');
    expect(await started.jobs.queue('default').getJobLogs(job.id)).toMatchObject({ count: 0 });
  });

  it('stores what is said in the order in which it is said', async () => {
    const job = await started.jobs.enqueue(task(Visited, 'floods'));
    await job.result();
    expect(await job.status()).toMatchObject({ progress: 19, stage: { name: 'last' } });
  });

  it('enqueues jobs that belong to it', async () => {
    const outer = await started.jobs.enqueue(task(Visited, 'enqueues'));
    const inner = started.jobs.job(await outer.result());
    expect(await inner.result()).toBe(outer.id);
  });

  it('refuses what is no JSON or no text, and stays as it was', async () => {
    const { job, context, open } = await visit('checked');
    const wrong: [() => Promise<unknown>, RegExp][] = [
      [() => context.stage(''), /the name of a stage must be text of 1 to 200 characters.*but is ""/],
      [() => context.stage('x'.repeat(201)), /but is a string of 201 characters/],
      [() => context.stage(7 as never), /but is 7/],
      [() => context.stage('a\u0000'), /without U\+0000/],
      [
        () => context.stage('a', { when: [new Date()] }),
        /the meta of stage\(\) must be JSON, but \$\.when\[0\] is an instance of Date/,
      ],
      [() => context.progress(101), /progress must be a number from 0 to 100 or an object, but is 101/],
      [() => context.progress(Number.NaN), /but is NaN/],
      [() => context.progress('half' as never), /but is "half"/],
      [() => context.progress({ done: 1n }), /progress must be JSON, but \$\.done is a BigInt/],
      [
        () => job.cancel({ reason: 7 as never }),
        /the reason of a cancellation must be text of 1 to 500 characters.*but is 7/,
      ],
      [() => job.cancel({ reason: 'x'.repeat(501) }), /but is a string of 501 characters/],
      [() => job.result({ timeout: 'soon' }), /the timeout of result\(\) must be a duration from zero.*but is "soon"/],
      [() => job.result({ timeout: -1 }), /but is -1/],
    ];
    for (const [call, message] of wrong) {
      await expect(call()).rejects.toThrow(InvalidArgumentError);
      await expect(call()).rejects.toThrow(message);
    }
    expect(await job.status()).toMatchObject({ state: 'running' });
    expect(await job.status()).not.toHaveProperty('stage');
    open.reach();
    await job.result();
  });
});
