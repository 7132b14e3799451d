import {
  chain,
  group,
  JobNotFoundError,
  JobsRunner,
  taskContract,
  type JobExplanation,
  type JobHandle,
} from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import { Queues } from '../../libs/jobs/src/client/queues.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { echo, fail, failAtOnce, hold, snooze, Stuck } from '../support/stuck.js';

const HOUR = 3_600_000;

describe.each(backends)('why a job does not run, on $name', (backend) => {
  let running: JobsApp;
  let jobs: JobsApp['jobs'];
  beforeAll(async () => {
    running = await startJobsApp({
      backend,
      providers: [Stuck],
      options: {
        queues: {
          default: { concurrency: 20 },
          idle: {},
          lost: {},
          stopped: {},
          single: { concurrency: 1 },
          global: {},
          engine: {},
        },
        workers: { except: ['idle', 'lost'] },
      },
    });
    ({ jobs } = running);
    // From then on the process is known to live.
    const first = await jobs.enqueue(hold, 'first', { delay: '1h' });
    await eventually(async () => (await why(first)).also.length === 0);
  });
  afterEach(() => Stuck.openAll());
  afterAll(() => running?.close());

  const why = ({ id }: { id: string }): Promise<JobExplanation> => jobs.fleet.why(id);

  async function begun(name: string, queue = 'default'): Promise<{ job: JobHandle<string>; open: () => void }> {
    const { entered, open } = Stuck.gate(name);
    const job = await jobs.enqueue(hold, name, { queue });
    await entered;
    return { job, open };
  }

  const is = (job: JobHandle<unknown>, state: string): Promise<unknown> =>
    eventually(async () => (await job.status()).state === state);

  it('[M4] `ended`: it has, well or not', async () => {
    const well = await jobs.enqueue(echo, 'well');
    await well.result();
    const { finishedAt } = await well.status();
    expect(await why(well)).toEqual({
      id: well.id,
      task: 'stuck.echo',
      queue: 'default',
      state: 'succeeded',
      reason: { kind: 'ended', state: 'succeeded', at: finishedAt },
      also: [],
      message: `It succeeded at ${finishedAt}.`,
    });
    const failed = await jobs.enqueue(failAtOnce);
    await is(failed, 'failed');
    expect(await why(failed)).toMatchObject({
      state: 'failed',
      reason: { kind: 'ended', state: 'failed', error: { name: 'RangeError', message: 'out of luck' } },
      message: expect.stringMatching(/^It failed at .* with RangeError: out of luck\. .*redrive/),
    });
    const cancelled = await jobs.enqueue(echo, 'no', { delay: '1h' });
    await cancelled.cancel({ reason: 'not wanted' });
    const reason = { kind: 'ended', state: 'cancelled', reason: 'not wanted' };
    await eventually(async () => expect(await why(cancelled)).toMatchObject({ state: 'cancelled', reason }));
  });

  it('[M4] `running`: since when, which attempt, where, and whether it is asked to stop', async () => {
    const { job } = await begun('runs');
    const { startedAt } = await job.status();
    const process = (await jobs.fleet.processes())[0]!.id;
    const runs = { kind: 'running', attempt: 1, since: startedAt, process };
    expect(await why(job)).toMatchObject({ state: 'running', reason: runs, also: [] });
    await job.cancel();
    expect(await why(job)).toMatchObject({
      reason: { ...runs, cancelRequested: true },
      message: `It runs: attempt 1, since ${startedAt} in process ${process}. It has been asked to stop.`,
    });
  });

  it('[M4] `running`: no live process has it', async () => {
    const store = running.app.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
    const job = await jobs.enqueue(echo, 'left behind', { queue: 'lost' });
    const dead = store.createWorker('lost', async (_job, _token) => null, { concurrency: 1, lease: 30_000 });
    await dead.getNextJob(`${dead.id}:0`);
    expect(await why(job)).toMatchObject({
      state: 'running',
      reason: { kind: 'running', attempt: 1, isLost: true },
      message: expect.stringContaining('No live process has it'),
    });
    await dead.close(true);
  });

  it('[M4] `cancelled`: no worker has got to it yet', async () => {
    const job = await jobs.enqueue(echo, 'no', { queue: 'idle' });
    await job.cancel({ reason: 'not wanted' });
    expect(await why(job)).toMatchObject({
      state: 'cancelled',
      reason: { kind: 'cancelled', reason: 'not wanted' },
      also: [{ kind: 'unserved-queue', queue: 'idle' }],
      message: expect.stringContaining('(not wanted), and will not run'),
    });
  });

  it('[M4] `expired`: its time to begin is over, and no worker has got to it yet', async () => {
    const job = await jobs.enqueue(echo, 'late', { queue: 'idle', expiresIn: 1 });
    const at = new Date(Date.parse((await job.status()).createdAt) + 1).toISOString();
    await eventually(async () => {
      expect(await why(job)).toMatchObject({ state: 'pending', reason: { kind: 'expired', at } });
    });
    expect((await why(job)).also).toEqual([{ kind: 'unserved-queue', queue: 'idle' }]);
  });

  it('[M4] `scheduled`: its time has not come, and neither has it after its queue is resumed', async () => {
    const job = await jobs.enqueue(echo, 'later', { delay: '1h' });
    const { scheduledFor: until } = await job.status();
    const message = `Its time comes at ${until}.`;
    expect(await why(job)).toMatchObject({
      state: 'scheduled',
      reason: { kind: 'scheduled', until },
      also: [],
      message,
    });
    const idle = await jobs.enqueue(echo, 'later', { delay: '1h', queue: 'idle' });
    expect((await why(idle)).also).toEqual([{ kind: 'unserved-queue', queue: 'idle' }]);
  });

  it('[M4] `scheduled`: a step of a canvas that waits for its own time', async () => {
    const canvas = await jobs.start(chain(echo.s('one'), hold.si('two').set({ delay: '1h' })));
    await is(canvas, 'scheduled');
    const { scheduledFor: until } = await canvas.status();
    expect((await why(canvas)).reason).toEqual({ kind: 'scheduled', until });
  });

  it('[M4] `snoozed`: it asked to run again later', async () => {
    const job = await jobs.enqueue(snooze);
    await is(job, 'scheduled');
    const { scheduledFor: until } = await job.status();
    expect(Date.parse(until!)).toBeGreaterThan(Date.now() + HOUR / 2);
    expect(await why(job)).toMatchObject({ reason: { kind: 'snoozed', until }, also: [] });
  });

  it('[M4] `retrying`: an attempt has failed, and the next one waits for its time', async () => {
    const job = await jobs.enqueue(fail);
    await is(job, 'retrying');
    const { scheduledFor: until } = await job.status();
    const error = { name: 'RangeError', message: 'out of luck' };
    expect(await why(job)).toMatchObject({
      state: 'retrying',
      reason: { kind: 'retrying', until, attempt: 1, error },
      also: [],
      message: expect.stringContaining(
        `Attempt 1 failed with RangeError: out of luck. The next one begins at ${until}`,
      ),
    });
  });

  it('[M4] `children`: how many it waits for, which, and what keeps the first of them', async () => {
    const { entered, open } = Stuck.gate('member');
    const header = group([echo.s('done'), hold.s('member'), echo.s('far').set({ delay: '1h' })]);
    const canvas = await jobs.start(chain(header, echo.si('after')));
    await entered;
    const [done, member, far] = canvas.children;
    await done!.result();
    const { startedAt: since } = await member!.status();
    const explained = await why(canvas);
    expect(explained).toMatchObject({
      id: canvas.id,
      state: 'blocked',
      reason: {
        kind: 'children',
        waiting: 2,
        of: [member!.id, far!.id],
        first: {
          id: member!.id,
          task: 'stuck.hold',
          queue: 'default',
          state: 'running',
          reason: { kind: 'running', attempt: 1, since },
        },
      },
      also: [],
    });
    expect(explained.message).toContain(`It waits for 2 jobs to end: ${member!.id}, ${far!.id}.`);
    expect(explained.message).toContain(`job ${member!.id} of task "stuck.hold": It runs`);
    open();
    await member!.result();
    const { scheduledFor: until } = await far!.status();
    await eventually(async () => {
      const first = { id: far!.id, reason: { kind: 'scheduled', until } };
      expect((await why(canvas)).reason).toMatchObject({ kind: 'children', waiting: 1, first });
    });
  });

  it('[M4] `children`: of steps that wait for one another, the one that all wait for', async () => {
    const { entered, open } = Stuck.gate('step one');
    const canvas = await jobs.start(chain(hold.s('step one'), hold.si('two'), hold.si('three'), hold.si('four')));
    await entered;
    const one = canvas.parent!.parent!.parent!;
    const { reason } = await why(canvas);
    expect(reason).toMatchObject({
      kind: 'children',
      waiting: 1,
      of: [canvas.parent!.id],
      first: { id: one.id, state: 'running' },
    });
    open();
    await canvas.result();
    expect((await why(canvas)).reason.kind).toBe('ended');
  });

  it('[M4] `children`: of a large group so many, and some of them by id', async () => {
    const canvas = await jobs.start(group(Array.from({ length: 150 }, (_, n) => echo.s(`${n}`).set({ delay: '1h' }))));
    const { queue, reason, message } = await why(canvas);
    const { of } = reason as Extract<typeof reason, { kind: 'children' }>;
    const members = canvas.children.map(({ id }) => id);
    expect(queue).toBe('jobs-internal');
    expect(reason).toMatchObject({
      kind: 'children',
      waiting: 150,
      first: { id: of[0], reason: { kind: 'scheduled' } },
    });
    expect(of).toHaveLength(10);
    expect(members).toEqual(expect.arrayContaining([...of]));
    expect(of).toEqual(of.toSorted((a, b) => members.indexOf(a) - members.indexOf(b)));
    expect(message).toMatch(/^It waits for 150 jobs to end: .* and 147 more\. /);
    await canvas.cancel();
  });

  it('[M4] `unserved-queue`: no live process works it, also one that this process has not declared', async () => {
    const job = await jobs.enqueue(echo, 'alone', { queue: 'idle' });
    expect(await why(job)).toMatchObject({
      state: 'pending',
      reason: { kind: 'unserved-queue', queue: 'idle' },
      also: [],
      message: expect.stringContaining('No live process works the queue "idle"'),
    });
    const { id } = await undeclared('elsewhere');
    expect(await why({ id })).toMatchObject({ id, queue: 'elsewhere', reason: { kind: 'unserved-queue' } });
  });

  /** A job in a queue that only another deployment knows. */
  async function undeclared(name: string): Promise<{ id: string }> {
    const queue = running.app.get(Queues).get(name);
    await queue.add('other.task', {}, { jobId: `${name}_one`, priority: 5 });
    return { id: `${name}_one` };
  }

  it('[M4] `paused-queue`: its queue is paused', async () => {
    await jobs.queue('stopped').pause();
    const job = await jobs.enqueue(echo, 'held up', { queue: 'stopped' });
    expect(await why(job)).toMatchObject({
      state: 'pending',
      reason: { kind: 'paused-queue', queue: 'stopped' },
      also: [],
      message: expect.stringContaining("jobs.fleet.resumeQueue('stopped')"),
    });
    await jobs.queue('stopped').resume();
    await job.result();
  });

  it('[M4] `paused-processes`: each process that works its queue is paused', async () => {
    const process = (await jobs.fleet.processes())[0]!.id;
    await jobs.fleet.pauseProcess(process, { queue: 'single' });
    const job = await jobs.enqueue(echo, 'held up', { queue: 'single' });
    expect(await why(job)).toMatchObject({
      state: 'pending',
      reason: { kind: 'paused-processes', queue: 'single', processes: [process] },
      also: [],
      message: expect.stringContaining(`is paused or drains (${process}). Resume one with jobs.fleet.resumeProcess`),
    });
    await jobs.fleet.resumeProcess(process, { queue: 'single' });
    await job.result();
  });

  it('[M4] `next`: nothing is in its way, and how many are before it', async () => {
    // It fetches nothing for a moment, and tells nobody.
    const { workers } = running.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    const worker = workers.get('single')!;
    await worker.pause();
    const waiting = [
      await jobs.enqueue(echo, 'a', { queue: 'single' }),
      await jobs.enqueue(echo, 'b', { queue: 'single' }),
    ];
    const [first, second] = [await why(waiting[0]!), await why(waiting[1]!)];
    await worker.resume();
    expect(first).toMatchObject({
      state: 'pending',
      reason: { kind: 'next', position: 0 },
      also: [],
      message: 'Nothing is in its way: the next free worker takes it.',
    });
    expect(second).toMatchObject({
      reason: { kind: 'next', position: 1 },
      message: 'Nothing is in its way: workers have free slots. 1 job comes before it.',
    });
    await Promise.all(waiting.map((job) => job.result()));
  });

  it('[M4] `unknown-task`: no live process has its code, before a worker has looked and after', async () => {
    const gone = taskContract<undefined, null>('stuck.renamed');
    await jobs.queue('stopped').pause();
    const job = await jobs.enqueue(gone, undefined, { queue: 'stopped' });
    expect(await why(job)).toMatchObject({
      reason: { kind: 'paused-queue' },
      also: [{ kind: 'unknown-task', task: 'stuck.renamed' }],
    });
    await jobs.queue('stopped').resume();
    await eventually(async () => (await job.status()).waitingFor !== undefined);
    const { waitingFor } = await job.status();
    const explained = await why(job);
    expect(explained).toMatchObject({
      state: 'pending',
      reason: { kind: 'unknown-task', task: 'stuck.renamed', until: waitingFor!.until },
      also: [],
    });
    expect(explained.message).toContain(`Without it the job fails at ${waitingFor!.until}.`);
    await job.cancel();
  });

  it('[M4] `concurrency`: all slots are taken, and how many are before it', async () => {
    const { open } = await begun('in the slot', 'single');
    const waiting = [
      await jobs.enqueue(echo, 'a', { queue: 'single' }),
      await jobs.enqueue(echo, 'b', { queue: 'single' }),
    ];
    const taken = { kind: 'concurrency', active: 1, slots: 1, scope: 'processes' };
    for (const [position, job] of waiting.entries()) {
      expect(await why(job)).toMatchObject({ state: 'pending', reason: { ...taken, position }, also: [] });
    }
    const { message } = await why(waiting[1]!);
    expect(message).toContain('work its queue have 1 slot in all, and 1 job runs. 1 job comes before it.');
    open();
    await Promise.all(waiting.map((job) => job.result()));
  });

  it('[M4] `concurrency`: as many run as the queue may in the whole fleet', async () => {
    await jobs.queue('global').setGlobalConcurrency(1);
    const { open } = await begun('the only one', 'global');
    const job = await jobs.enqueue(echo, 'waits', { queue: 'global' });
    expect(await why(job)).toMatchObject({
      reason: { kind: 'concurrency', active: 1, slots: 1, scope: 'global', position: 0 },
      also: [],
    });
    open();
    await job.result();
    await jobs.queue('global').removeGlobalConcurrency();
  });

  it('[M4] tells several things at once, first what holds whatever else is done', async () => {
    await jobs.queue('idle').pause();
    const later = await jobs.enqueue(echo, 'later', { queue: 'idle', delay: '1h' });
    const { reason, also } = await why(later);
    expect([reason, ...also].map(({ kind }) => kind)).toEqual(['scheduled', 'unserved-queue', 'paused-queue']);
    await jobs.queue('idle').resume();
  });

  it('[M4] is an error for a job that is not there, and for what is no id', async () => {
    for (const id of ['default_none', 'undeclared-queue_none', 'no id', '', 'Default_x']) {
      await expect(jobs.fleet.why(id)).rejects.toThrow(JobNotFoundError);
    }
  });
});
