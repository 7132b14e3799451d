import { Injectable } from '@nestjs/common';
import {
  RetryLater,
  Skip,
  Snooze,
  Task,
  task,
  type JobContext,
  type JobHandle,
  type JobState,
  type JobStatus,
} from 'nestjs-jobs';
import { from, map, throwError, type Observable } from 'rxjs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';

interface Run {
  at: number;
  attempt: number;
  scheduledFor: number | undefined;
}

/** What each run of a job does, one after the other; the last one for all that follow. */
type Script = (() => unknown)[];

@Injectable()
class Control {
  static readonly scripts = new Map<string, Script>();
  static readonly runs = new Map<string, Run[]>();

  @Task({ retry: { attempts: 3, delay: '1h', maxDelay: '10h', jitter: 'none' } })
  async plays(key: string, job: JobContext): Promise<unknown> {
    const runs = Control.runs.get(key) ?? [];
    Control.runs.set(key, [
      ...runs,
      { at: Date.now(), attempt: job.attempt, scheduledFor: job.scheduledFor?.getTime() },
    ]);
    await job.stage(`run ${runs.length + 1}`);
    const script = Control.scripts.get(key)!;
    return script[Math.min(runs.length, script.length - 1)]!();
  }

  @Task({ retry: { attempts: 1 } })
  playsOnce(key: string, job: JobContext): Promise<unknown> {
    return this.plays(key, job);
  }

  @Task()
  streams(): Observable<number> {
    return from([1, 2]).pipe(map((n) => (n === 2 ? throws(new Skip('enough')) : n)));
  }
}

function throws(error: unknown): never {
  throw error;
}

describe.each(backends)('exceptions that say how a job goes on, on $name', (backend) => {
  let started: JobsApp;
  const logger = new MemoryLogger();
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Control], logger });
  });
  afterAll(() => started?.close());

  async function play(key: string, script: Script, method: 'plays' | 'playsOnce' = 'plays'): Promise<JobHandle> {
    const unique = `${backend.name} ${key}`;
    Control.scripts.set(unique, script);
    return started.jobs.enqueue(task(Control, method), unique);
  }

  function runsOf(key: string): Run[] {
    return Control.runs.get(`${backend.name} ${key}`) ?? [];
  }

  async function reaches(job: JobHandle, state: JobState): Promise<JobStatus> {
    return eventually(async () => {
      const status = await job.status();
      expect(status.state).toBe(state);
      return status;
    });
  }

  async function makeDue(job: JobHandle): Promise<void> {
    await (await started.jobs.queue('default').getJob(job.id))!.promote();
  }

  describe('Snooze', () => {
    it('[S6] runs the task again and again, slower and faster, until it is content', async () => {
      const snooze = (delay: number) => () => throws(new Snooze(delay));
      const job = await play('polls', [snooze(20), snooze(80), snooze(0), () => 'ready'], 'playsOnce');
      expect(await job.result()).toBe('ready');
      const runs = runsOf('polls');
      expect(runs.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
      expect(runs[0]!.scheduledFor).toBeUndefined();
      for (const [n, delay] of [20, 80, 0].entries()) {
        const [before, after] = [runs[n]!, runs[n + 1]!];
        expect(after.scheduledFor! - before.at).toBeGreaterThanOrEqual(delay);
        expect(after.at).toBeGreaterThanOrEqual(after.scheduledFor!);
      }
      const status = await job.status();
      expect(status).toMatchObject({ state: 'succeeded', attempt: 1, attempts: [{ attempt: 1 }] });
      expect(Date.parse(status.scheduledFor!)).toBe(runs[3]!.scheduledFor);
    });

    it('[S6] is scheduled meanwhile, with the time, what it said last and no attempt spent', async () => {
      const job = await play('scheduled', [() => throws(new Snooze('1h')), () => 'done'], 'playsOnce');
      const status = await reaches(job, 'scheduled');
      expect(status).toMatchObject({ attempt: 0, attempts: [], stage: { name: 'run 1' }, terminal: false });
      expect(Date.parse(status.scheduledFor!)).toBeGreaterThanOrEqual(runsOf('scheduled')[0]!.at + 3_600_000);
      await makeDue(job);
      expect(await job.result()).toBe('done');
    });

    it('is not taken for a retry after a failed attempt, nor a retry for it', async () => {
      const fails = (): never => throws(new RetryLater(1));
      const job = await play('between', [fails, () => throws(new Snooze('1h')), () => throws(new Error('broken'))]);
      const snoozed = await reaches(job, 'scheduled');
      expect(snoozed).toMatchObject({ attempt: 1, attempts: [{ attempt: 1, error: { name: 'RetryLater' } }] });
      await makeDue(job);
      const retrying = await reaches(job, 'retrying');
      expect(retrying).toMatchObject({
        attempt: 2,
        attempts: [{ attempt: 1 }, { attempt: 2 }],
        stage: { name: 'run 3' },
      });
      const wait = Date.parse(retrying.scheduledFor!) - Date.parse(retrying.attempts[1]!.endedAt!);
      // The policy's second wait.
      expect(wait).toBe(7_200_000);
    });

    it('can be cancelled while it snoozes', async () => {
      const job = await play('cancelled', [() => throws(new Snooze('1h'))]);
      await reaches(job, 'scheduled');
      expect(await job.cancel({ reason: 'enough' })).toBe(true);
      await expect(job.result()).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'enough' });
    });
  });

  describe('RetryLater', () => {
    it('[R3] sets the wait itself, and spends an attempt', async () => {
      const cause = Object.assign(new TypeError('too busy'), { code: 'E_BUSY' });
      const later = (): never => throws(new RetryLater(50, { message: 'later', code: 'LATER', cause }));
      const job = await play('later', [later, () => 'done']);
      expect(await job.result()).toBe('done');
      const { attempts, attempt } = await job.status();
      expect(attempt).toBe(2);
      expect(attempts.map(({ error }) => error)).toEqual([
        {
          name: 'RetryLater',
          message: 'later',
          code: 'LATER',
          cause: { name: 'TypeError', message: 'too busy', code: 'E_BUSY' },
        },
        undefined,
      ]);
      const [first, second] = runsOf('later');
      expect([first!.attempt, second!.attempt]).toEqual([1, 2]);
      expect(second!.at - first!.at).toBeGreaterThanOrEqual(50);
    });

    it('[R3] is retrying meanwhile, until the time that it asked for', async () => {
      const job = await play('retrying', [() => throws(new RetryLater('2h'))]);
      const { scheduledFor, attempts } = await reaches(job, 'retrying');
      expect(Date.parse(scheduledFor!) - Date.parse(attempts[0]!.endedAt!)).toBe(7_200_000);
    });

    it('[R3] fails the job with it after the last attempt', async () => {
      const job = await play('last', [() => throws(new RetryLater(1, { cause: new Error('still busy') }))]);
      await expect(job.result()).rejects.toMatchObject({
        name: 'JobFailedError',
        error: { name: 'RetryLater', message: 'still busy', cause: { name: 'Error', message: 'still busy' } },
      });
      expect(await job.status()).toMatchObject({ state: 'failed', attempt: 3, attempts: [{}, {}, {}] });
      expect(logger.text()).toContain(`Job ${job.id} of task Control.plays failed for good. RetryLater: still busy`);
    });
  });

  describe('Skip', () => {
    it('ends the job as succeeded, with the reason and without a result', async () => {
      const job = await play('skips', [() => throws(new Skip('nothing to do'))]);
      expect(await job.result()).toBeNull();
      const status = await job.status();
      expect(status).toMatchObject({ state: 'succeeded', reason: 'nothing to do', result: null, terminal: true });
      expect(status.attempts).toEqual([{ attempt: 1, startedAt: expect.anything(), endedAt: expect.anything() }]);
    });

    it('is told from a result that looks like one that is stored', async () => {
      const result = { 'nestjs-jobs': { skipped: 'not really' } };
      const job = await play('looks skipped', [() => result]);
      expect(await job.result()).toEqual(result);
      expect(await job.status()).not.toHaveProperty('reason');
    });

    it('counts when an observable ends with it', async () => {
      const job = await started.jobs.enqueue(task(Control, 'streams'));
      expect(await job.result()).toBeNull();
      expect(await job.status()).toMatchObject({ reason: 'enough' });
    });
  });

  const harmless: [string, () => unknown][] = [
    ['made and not thrown', () => [new Snooze('1h'), 'done'][1]],
    ['thrown and caught in the method', () => caught(() => throws(new Skip('x'))) && 'done'],
    [
      'the cause of an error that was caught',
      () => caught(() => throws(new Error('x', { cause: new Skip('y') }))) && 'done',
    ],
    ['in an observable that nobody looks at', () => throwError(() => new Skip('x')) && 'done'],
  ];

  it.each(harmless)('mean nothing when they are %s', async (what, method) => {
    const job = await play(what, [method]);
    expect(await job.result()).toBe('done');
    expect(await job.status()).not.toHaveProperty('reason');
  });

  it('are no news to the log, unlike other errors', async () => {
    const failing = await play('loud', [() => throws(new Error('a defect'))]);
    await reaches(failing, 'retrying');
    expect(logger.text()).toContain('a defect');
    const before = logger.text();
    const snoozing = await play('quiet', [() => throws(new RetryLater(1)), () => throws(new Snooze('1h'))]);
    await reaches(snoozing, 'scheduled');
    await (await play('silent', [() => throws(new Skip('silence'))])).result();
    expect(logger.text()).toBe(before);
  });
});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
