import type { Job, Queue } from 'bullmq';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal, type Signal } from '../support/signals.js';

const JOBS = 120;

describe.each(backends)('giveBack on $name', ({ connection }) => {
  let backend: QueueBackend;
  let queue: Queue;
  const workers: JobsWorker[] = [];

  beforeAll(async () => {
    const options = resolveOptions({ connection: connection()!, namespace: uniqueNamespace() });
    backend = await openBackend(options, new MemoryLogger());
    await backend.whenReady(5_000);
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.close()));
    await queue.close();
  });
  afterAll(() => backend?.close(5_000));

  function work(
    processor: (job: Job, token: string) => Promise<unknown>,
    { concurrency = 1, name = queue.name } = {},
  ): { errors: string[]; worker: JobsWorker } {
    const errors: string[] = [];
    const worker = backend.createWorker(name, (job, token) => processor(job, token!), { concurrency, lease: 30_000 });
    worker.on('error', ({ message }) => errors.push(message));
    void worker.run();
    workers.push(worker);
    return { errors, worker };
  }

  /** A worker that took one job and holds it until `open` is reached. */
  async function hold(): Promise<{ token: string; open: Signal; errors: string[]; ended: Promise<void> }> {
    const [taken, open, ended] = [signal<string>(), signal(), signal()];
    const { errors, worker } = work(async (_job, token) => {
      taken.reach(token);
      await open.reached;
      return 'late';
    });
    const token = await taken.reached;
    // It fetches no more, and waits for the one that it holds.
    void worker.close().then(() => ended.reach());
    return { token, open, errors, ended: ended.reached };
  }

  /** A worker looks several times before it sleeps. */
  async function asleep(worker: JobsWorker): Promise<void> {
    let lastLook = 0;
    const isStill = (): boolean => {
      const isSame = lastLook > 0 && worker.lastFetchAt === lastLook;
      lastLook = worker.lastFetchAt;
      return isSame;
    };
    await eventually(isStill, { interval: 300 });
  }

  it('[C2] lets the next worker have the job before all others, as if it had never been taken', async () => {
    queue = backend.createQueue('first');
    await queue.add('task', {}, { jobId: 'job_held', priority: 9, attempts: 3 });
    const { token, open, errors, ended } = await hold();
    await queue.addBulk(
      [1, 5].map((priority) => ({ name: 'task', data: {}, opts: { jobId: `job_${priority}`, priority } })),
    );
    expect(await backend.giveBack(queue, 'job_held', token)).toBe(true);
    expect(await queue.getJobState('job_held')).toBe('waiting');

    const order: string[] = [];
    const seen = signal<Job>();
    work(async (job) => {
      if (order.push(job.id!) === 1) seen.reach(job);
      return 'in time';
    });
    expect(await seen.reached).toMatchObject({ id: 'job_held', attemptsMade: 0, stalledCounter: 0 });
    await eventually(() => expect(order).toEqual(['job_held', 'job_1', 'job_5']));

    await eventually(async () => expect(await queue.getJobState('job_held')).toBe('completed'));
    open.reach();
    await ended;
    expect(await queue.getJob('job_held')).toMatchObject({ returnvalue: 'in time', attemptsMade: 1, stacktrace: [] });
    expect(errors).toEqual([]);
  });

  it('[C2] refuses the end of the attempt that held the job, while nobody or another has it', async () => {
    queue = backend.createQueue('refused');
    await queue.add('task', {}, { jobId: 'job_held' });
    const first = await hold();
    expect(await backend.giveBack(queue, 'job_held', first.token)).toBe(true);
    first.open.reach();
    await first.ended;
    expect(await queue.getJobState('job_held')).toBe('waiting');

    const second = await hold();
    const stale = (await queue.getJob('job_held'))!;
    await expect(stale.moveToFailed(new Error('too late'), first.token)).rejects.toThrow();
    await expect(stale.moveToDelayed(Date.now() + 60_000, first.token)).rejects.toThrow();
    expect(await queue.getJob('job_held')).toMatchObject({ attemptsMade: 0 });
    expect(await queue.getJobState('job_held')).toBe('active');
    second.open.reach();
    await second.ended;
    expect(await queue.getJob('job_held')).toMatchObject({ returnvalue: 'late', attemptsMade: 1 });
  });

  it('changes nothing of a job that is not held with this token', async () => {
    queue = backend.createQueue('others');
    await queue.add('task', {}, { jobId: 'job_held', priority: 5 });
    const { token, open, ended } = await hold();
    await queue.add('task', {}, { jobId: 'job_waits', priority: 5 });
    expect(await backend.giveBack(queue, 'job_held', 'another token')).toBe(false);
    expect(await backend.giveBack(queue, 'job_waits', token)).toBe(false);
    expect(await backend.giveBack(queue, 'job_absent', token)).toBe(false);
    expect(await queue.getJob('job_absent')).toBeUndefined();
    expect(await queue.getJobState('job_held')).toBe('active');
    open.reach();
    await ended;
    expect(await queue.getJobState('job_held')).toBe('completed');
    expect(await backend.giveBack(queue, 'job_held', token)).toBe(false);
    expect(await queue.getJobCounts('completed', 'prioritized', 'waiting')).toEqual({
      completed: 1,
      prioritized: 1,
      waiting: 0,
    });
  });

  it('[C2] wakes a worker that waits for work', async () => {
    queue = backend.createQueue('woken');
    await queue.add('task', {}, { jobId: 'job_held', priority: 5 });
    const { token, open } = await hold();
    const taken = signal<string>();
    const { worker } = work(async (job) => taken.reach(job.id!));
    // It does not look again by itself for as long as the test can last.
    worker.opts.drainDelay = 3_600;
    await asleep(worker);
    expect(await backend.giveBack(queue, 'job_held', token)).toBe(true);
    expect(await taken.reached).toBe('job_held');
    open.reach();
  });

  it('leaves a job that can be removed, as nothing holds it', async () => {
    queue = backend.createQueue('removed');
    await queue.add('task', {}, { jobId: 'job_held' });
    const { token, open, ended } = await hold();
    expect(await queue.remove('job_held')).toBe(0);
    await backend.giveBack(queue, 'job_held', token);
    expect(await queue.remove('job_held')).toBe(1);
    open.reach();
    await ended;
  });

  it('puts what is given back last in front', async () => {
    queue = backend.createQueue('stack');
    const open = signal();
    const tokens = new Map<string, string>();
    const { worker } = work(
      async (job, token) => {
        tokens.set(job.id!, token);
        await open.reached;
      },
      { concurrency: 3 },
    );
    await queue.addBulk(['a', 'b', 'c'].map((id) => ({ name: 'task', data: {}, opts: { jobId: `job_${id}` } })));
    await eventually(() => expect(tokens.size).toBe(3));
    const closed = worker.close();
    for (const id of ['job_c', 'job_b', 'job_a']) await backend.giveBack(queue, id, tokens.get(id)!);
    open.reach();
    await closed;
    const order: string[] = [];
    work(async (job) => order.push(job.id!));
    await eventually(() => expect(order).toEqual(['job_a', 'job_b', 'job_c']));
  });

  it.each([1, 8, 32])(
    '[C2] or the end of a job is stored, never both nor neither, at concurrency %i',
    async (concurrency) => {
      queue = backend.createQueue(`race-${concurrency}`);
      const runs = new Map<string, number>();
      const givenBack = new Map<string, Promise<boolean>>();
      work(
        async (job, token) => {
          const id = job.id!;
          runs.set(id, (runs.get(id) ?? 0) + 1);
          if (runs.get(id) === 1) givenBack.set(id, backend.giveBack(queue, id, token));
          return runs.get(id);
        },
        { concurrency },
      );
      const ids = Array.from({ length: JOBS }, (_, n) => `job_${n}`);
      await queue.addBulk(ids.map((jobId) => ({ name: 'task', data: {}, opts: { jobId, priority: 5 } })));
      await eventually(async () => expect(await queue.getJobCounts('completed')).toEqual({ completed: JOBS }), {
        timeout: 30_000,
      });
      for (const id of ids) {
        const wasGivenBack = await givenBack.get(id);
        const expected = { id, returnvalue: wasGivenBack ? 2 : 1, attemptsMade: 1, stalledCounter: 0 };
        expect({ runs: runs.get(id), ...expected }).toEqual({ ...expected, runs: wasGivenBack ? 2 : 1 });
        expect(await queue.getJob(id)).toMatchObject(expected);
      }
    },
  );
});
