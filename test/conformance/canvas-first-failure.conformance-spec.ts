import { Injectable } from '@nestjs/common';
import {
  chain,
  chord,
  NonRetryableError,
  OnFailure,
  Task,
  task,
  type CanvasFailure,
  type JobContext,
  type JobFailure,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';

const WAIT = { timeout: '50s' } as const;

@Injectable()
class Parts {
  static gate: { entered: Signal; open: Signal };
  static heard: CanvasFailure[];
  static handled: string[];

  @Task()
  async value(n: number): Promise<number> {
    return n;
  }

  @Task({ queue: 'single' })
  async sum(list: number[]): Promise<number> {
    return list.length;
  }

  @Task({ queue: 'single' })
  async gated(): Promise<void> {
    Parts.gate.entered.reach();
    await Parts.gate.open.reached;
  }

  @Task()
  async fail(message: string): Promise<number> {
    throw new NonRetryableError(message);
  }

  /** Fails by what it is replaced with. */
  @Task()
  async become(n: number, job: JobContext): Promise<number> {
    return job.replaceWith(chain(fail.s(`no ${n}`), value.s(), value.s()));
  }

  /** Forgets to wait. */
  @Task()
  async forgetful(n: number, job: JobContext): Promise<number> {
    void job.replaceWith(value.s(n + 1));
    return n;
  }

  @Task()
  async errback(failure: CanvasFailure): Promise<void> {
    Parts.heard.push(failure);
  }

  @OnFailure({ tasks: ['Parts.fail'] })
  async onFailure({ error }: JobFailure, job: JobContext): Promise<number> {
    Parts.handled.push(error.message);
    return job.replaceWith(value.s(7));
  }
}

const value = task(Parts, 'value');
const sum = task(Parts, 'sum');
const gated = task(Parts, 'gated');
const fail = task(Parts, 'fail');
const become = task(Parts, 'become');
const forgetful = task(Parts, 'forgetful');
const errback = task(Parts, 'errback').s();

describe.each(backends)('what a canvas fails with on $name', (backend) => {
  let app: JobsApp;
  beforeAll(async () => {
    const options = { queues: { single: { concurrency: 1 } } };
    app = await startJobsApp({ backend, providers: [Parts], options });
  });
  beforeEach(() => {
    Parts.gate = { entered: signal(), open: signal() };
    [Parts.heard, Parts.handled] = [[], []];
  });
  afterAll(() => app?.close());

  it('[V7] is what failed first, also when another part is cancelled before anybody looked', async () => {
    const { jobs } = app;
    await jobs.enqueue(gated);
    await Parts.gate.entered.reached;
    const members = [fail.s('first'), value.s(1).set({ delay: '1h' })];
    const started = await jobs.start(chord(members, sum.s()).linkError(errback));
    const [failed, waiting] = started.children;
    await expect(failed!.result(WAIT)).rejects.toMatchObject({ error: { message: 'first' } });
    await waiting!.cancel();
    await expect(waiting!.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError' });
    Parts.gate.open.reach();
    await expect(started.result(WAIT)).rejects.toMatchObject({ error: { message: 'first' } });
    expect(await started.status()).toMatchObject({ state: 'failed', failedJob: failed!.id });
    await eventually(() => Parts.heard.length === 1);
    expect(Parts.heard).toMatchObject([{ jobId: failed!.id, task: 'Parts.fail', error: { message: 'first' } }]);
  });

  it('[V7] is told at once, and not after the delay of what waits for it', async () => {
    const delayed = value.s().set({ delay: '1h' });
    const started = await app.jobs.start(chain(fail.s('soon'), delayed, delayed).linkError(errback));
    await expect(started.result(WAIT)).rejects.toMatchObject({ error: { message: 'soon' } });
    await eventually(() => Parts.heard.length === 1);
  });

  it('[V1] a step with a delay is scheduled when the step before is done', async () => {
    const started = await app.jobs.start(chain(value.s(3), value.s().set({ delay: '1h' })));
    await eventually(async () => (await started.status()).state === 'scheduled');
    const { scheduledFor, createdAt } = await started.status();
    expect(Date.parse(scheduledFor!) - Date.parse(createdAt)).toBeGreaterThanOrEqual(3_600_000);
    await started.cancel();
    const soon = await app.jobs.start(chain(value.s(3), value.s().set({ delay: 50 }), value.s().set({ delay: 50 })));
    expect(await soon.result(WAIT)).toBe(3);
  });

  it('[V10] a replacement that fails calls the errbacks of the step that it stands for, behind another step', async () => {
    const own = await app.jobs.start(chain(value.s(1), become.s().linkError(errback), value.s()));
    await expect(own.result(WAIT)).rejects.toMatchObject({ error: { message: 'no 1' } });
    const whole = await app.jobs.start(chain(value.s(2), become.s()).linkError(errback));
    await expect(whole.result(WAIT)).rejects.toMatchObject({ error: { message: 'no 2' } });
    await eventually(() => Parts.heard.length === 2);
    expect(Parts.heard.map(({ error }) => error.message).sort()).toEqual(['no 1', 'no 2']);
  });

  it('[R6] [V10] a handler of failures may replace itself, and is called once', async () => {
    const { jobs } = app;
    const { id } = await jobs.enqueue(fail, 'handled');
    await expect(jobs.job(id).result(WAIT)).rejects.toMatchObject({ error: { message: 'handled' } });
    await eventually(() => Parts.handled.length > 0);
    const handler = (await jobs.queue('default').getJobs(['active', 'waiting-children', 'completed'])).find(
      ({ data }) => (data as { f?: string }).f === id,
    )!;
    expect(await jobs.job(handler.id!).result(WAIT)).toBe(7);
    expect(Parts.handled).toEqual(['handled']);
  });

  it('[V10] a method that does not wait for its replacement has it all the same', async () => {
    const job = await app.jobs.enqueue(forgetful, 1);
    expect(await job.result(WAIT)).toBe(2);
  });
});
