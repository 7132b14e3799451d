import { type DebounceOptions, type JobHandle, type JobsService } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { Keyed, run, startKeyed } from '../support/keyed.js';

describe.each(backends)('debounce and throttle on $name', (backend) => {
  let started: JobsApp;
  let jobs: JobsService;
  let keys = 0;
  let key: string;
  beforeAll(async () => {
    started = await startKeyed(backend);
    ({ jobs } = started);
  });
  afterAll(() => started?.close());
  beforeEach(() => {
    Keyed.reset();
    key = `key ${++keys}`;
  });

  const debounced = (
    text: string,
    debounce: Omit<DebounceOptions, 'key'>,
    options: { queue?: string } = {},
  ): Promise<JobHandle<string>> => jobs.enqueue(run, { text }, { debounce: { key, ...debounce }, ...options });

  /** Milliseconds after the first call. */
  const due = async (job: JobHandle): Promise<number> => {
    const { createdAt, scheduledFor } = await job.status();
    return Date.parse(scheduledFor!) - Date.parse(createdAt);
  };

  it('[I4] many calls make one job, which runs once and with what the last one brought', async () => {
    const handles: JobHandle<string>[] = [];
    for (let n = 0; n < 10; n++) handles.push(await debounced(`text ${n}`, { wait: n < 9 ? '1h' : 1 }));
    expect(handles.map(({ created }) => created)).toEqual(handles.map((_, n) => n === 0));
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(await Promise.all(handles.map((job) => job.result()))).toEqual(handles.map(() => 'text 9'));
    expect(Keyed.ran).toEqual(['text 9']);
    const next = await debounced('next', { wait: 1 });
    expect(next.created).toBe(true);
    expect(await next.result()).toBe('next');
  });

  it('[I4] each call puts the job off, by its own wait', async () => {
    const job = await debounced('first', { wait: '1h' });
    expect(await due(job)).toBe(3_600_000);
    await debounced('second', { wait: '2h' });
    expect(await due(job)).toBeGreaterThanOrEqual(2 * 3_600_000);
    await debounced('third', { wait: '1h' });
    const last = await due(job);
    expect(last).toBeGreaterThanOrEqual(3_600_000);
    expect(last).toBeLessThan(2 * 3_600_000);
    await job.cancel();
  });

  it('[I4] maxWait is the latest time, counted from the first call', async () => {
    const job = await debounced('first', { wait: '1h', maxWait: '90m' });
    expect(await due(job)).toBe(3_600_000);
    await debounced('second', { wait: '90m', maxWait: '90m' });
    expect(await due(job)).toBe(5_400_000);
    await job.cancel();
  });

  it('[I4] calls that do not stop do not keep the job from running', async () => {
    const job = await debounced('call 0', { wait: '400ms', maxWait: '1s' });
    const calls = ['call 0'];
    let next: JobHandle<string>;
    do {
      calls.push(`call ${calls.length}`);
      next = await debounced(calls.at(-1)!, { wait: '400ms', maxWait: '1s' });
    } while (!next.created);
    expect(next.id).not.toBe(job.id);
    // The call that began the next series is not in it.
    expect(await job.result()).toBe(calls.at(-2));
    expect(await next.result()).toBe(calls.at(-1));
    expect(Keyed.ran).toEqual([calls.at(-2), calls.at(-1)]);
    expect(calls.length).toBeGreaterThan(2);
  });

  it('[I4] a job whose time has come and that no worker has taken gets the newest payload', async () => {
    const job = await debounced('first', { wait: 1 }, { queue: 'idle' });
    await eventually(async () => Date.now() > Date.parse((await job.status()).scheduledFor!));
    const newest = await debounced('second', { wait: 1 }, { queue: 'idle' });
    expect(newest).toMatchObject({ id: job.id, created: false });
    expect((await jobs.queue('idle').getJob(job.id))!.data).toMatchObject({ p: { text: 'second' } });
    await jobs.purge('idle');
  });

  it('[I4] a call after the job was cancelled, or has begun, begins anew', async () => {
    const cancelled = await debounced('cancelled', { wait: '1h' });
    await cancelled.cancel();
    const held = Keyed.hold('running');
    const running = await debounced('running', { wait: 1 });
    expect(running.created).toBe(true);
    await held.begun;
    const next = await debounced('next', { wait: '100ms' });
    expect(next.created).toBe(true);
    expect(await next.result()).toBe('next');
    held.go();
    expect(await running.result()).toBe('running');
  });

  it('[I4] in a list, the last one is the newest', async () => {
    const handles = await jobs.enqueueMany(
      Array.from({ length: 20 }, (_, n) => ({
        task: run,
        payload: { text: `entry ${n}` },
        options: { debounce: { key, wait: '1h' } },
      })),
    );
    expect(handles.filter(({ created }) => created)).toHaveLength(1);
    const [{ id }] = handles as [JobHandle];
    expect(handles[7]!.id).toBe(id);
    expect((await jobs.queue('default').getJob(id))!.data).toMatchObject({ p: { text: 'entry 19' } });
    await handles[0]!.cancel();
  });

  // Waits so short that a job begins while it is put off: the calls and the worker race for it all the time.
  it.each([1, 8, 32])('[I4] what the last call brought is always run, at concurrency %i', async (concurrency) => {
    const busy = await startKeyed(backend, { queues: { default: { concurrency } } });
    try {
      let calls = 0;
      const debounce = { key: 'busy', wait: 1, maxWait: 20 };
      const call = async (): Promise<JobHandle<string>> => {
        return busy.jobs.enqueue(run, { text: `busy ${++calls}` }, { debounce });
      };
      await Promise.all(
        Array.from({ length: concurrency }, async () => {
          for (let n = 0; n < Math.ceil(60 / concurrency); n++) await call();
        }),
      );
      const last = await call();
      expect(await last.result()).toBe(`busy ${calls}`);
      const ran = Keyed.ran.filter((text) => text.startsWith('busy'));
      expect(new Set(ran).size).toBe(ran.length);
    } finally {
      await busy.close();
    }
  });

  it('[I4] throttle: the first call runs, further ones get it, and the first after the time runs again', async () => {
    const throttled = (text: string, every = '1h'): Promise<JobHandle<string>> =>
      jobs.enqueue(run, { text }, { throttle: { key: `${key} ${every}`, every } });
    const first = await throttled('first');
    expect(first.created).toBe(true);
    expect(await first.result()).toBe('first');
    const dropped = await Promise.all([throttled('second'), throttled('third')]);
    for (const job of dropped) expect(job).toMatchObject({ id: first.id, created: false });
    expect(await dropped[1]!.result()).toBe('first');
    await (await throttled('short', '1s')).result();
    const next = await eventually(async () => {
      const job = await throttled('next', '1s');
      return job.created && job;
    });
    expect(await next.result()).toBe('next');
    expect(Keyed.ran).toEqual(['first', 'short', 'next']);
  });

  it.each([1, 8, 32])('[I4] throttle: of %i calls at once one runs', async (n) => {
    const calls = Array.from({ length: n }, (_, call) =>
      jobs.enqueue(run, { text: `${call}` }, { throttle: { key, every: '1h' } }),
    );
    const handles = await Promise.all(calls);
    const creators = handles.filter(({ created }) => created);
    expect(creators).toHaveLength(1);
    expect(new Set(await Promise.all(handles.map((job) => job.result()))).size).toBe(1);
    expect(Keyed.ran).toHaveLength(1);
  });
});
